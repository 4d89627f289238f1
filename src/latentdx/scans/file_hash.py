"""The hash by which a file is known again, under whatever name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def hash_files(files: Iterable[bytes]) -> str:
    """BLAKE2b-128 (RFC 7693), hex, of the bytes of one file, or of several whatever their order.

    Examples
    --------
    >>> hash_files([b"a", b"b"]) == hash_files([b"b", b"a"])
    True
    """
    digests = sorted(hashlib.blake2b(data, digest_size=16).digest() for data in files)
    if len(digests) == 1:
        return digests[0].hex()
    return hashlib.blake2b(b"".join(digests), digest_size=16).hexdigest()
