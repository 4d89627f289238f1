"""Packed voxels are unpacked piece by piece, and never beyond what their header announces."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError

Buffer = bytes | memoryview

_STORED_PIECE, _PLAIN_PIECE = 64 << 10, 1 << 20
_EITHER = 47  # zlib's code for "zlib or gzip, whichever it is"
_GZIP = b"\x1f\x8b"
_SPARE = 512  # some writers fill up the last block


def inflate(data: Buffer, most: int) -> Iterator[bytes]:
    """At most `most` bytes of a zlib stream, or of a gzip file of one or more members.

    Ends early where `data` ends. Raises `InputError` ``E_DECODE`` for a damaged stream (the
    checksum is seen where `most` reaches beyond the end).

    Examples
    --------
    >>> b"".join(inflate(zlib.compress(bytes(1000)), 10))
    b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'
    """
    source, engine = memoryview(data), zlib.decompressobj(_EITHER)
    while most > 0:
        chunk = source[:_STORED_PIECE]
        try:
            piece = engine.decompress(chunk, min(most, _PLAIN_PIECE))
        except zlib.error:
            raise InputError(
                "E_DECODE", "the packed voxels are damaged", fix="copy it again"
            ) from None
        used = len(chunk) - len(engine.unconsumed_tail) - len(engine.unused_data)
        source = source[used:]
        if piece:
            most -= len(piece)
            yield piece
        if engine.eof:
            if source[:2] != _GZIP:
                return
            engine = zlib.decompressobj(_EITHER)
        elif not piece and not used:
            return


def exactly(data: Buffer, size: int, *, packed: bool) -> NDArray[np.uint8]:
    """The `size` bytes that `data` must hold, unpacked where it is packed.

    `size` is checked against the limits before (see `latentdx.scans.voxels.require_room`).
    Raises `InputError` ``E_TRUNCATED`` for fewer bytes, ``E_SIZE`` for more than fill up a block,
    ``E_DECODE`` for a damaged stream.
    """
    if not packed:
        _require_size(len(data), size, exact=True)
        return np.frombuffer(data, np.uint8, size)
    plain, filled = np.empty(size, np.uint8), 0
    for piece in inflate(data, size + _SPARE + 1):
        part = np.frombuffer(piece, np.uint8)
        kept = part[: max(0, size - filled)]
        plain[filled : filled + len(kept)] = kept
        filled += len(part)
    _require_size(filled, size, exact=False)
    return plain


def _require_size(found: int, expected: int, *, exact: bool) -> None:
    if found < expected:
        raise InputError(
            "E_TRUNCATED",
            f"{expected} bytes expected by the header, {found} found",
            fix="copy it again from its source",
        )
    if found > expected + _SPARE:
        count = f"{found}" if exact else f"more than {expected + _SPARE}"
        raise InputError(
            "E_SIZE",
            f"{expected} bytes expected by the header, {count} found: the header does not fit",
            fix="export it again from its source",
        )


def as_voxels(plain: NDArray[np.uint8], dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Bytes as an array of `shape` whose first axis runs fastest, in the machine's byte order."""
    values = plain.view(np.dtype(dtype)).reshape(shape, order="F")
    return values.astype(values.dtype.newbyteorder("="), copy=False)
