"""Whether a JPEG's entropy-coded data are all there.

libjpeg fills the rest of a picture whose data end too early with grey and says so in a warning that
no Python binding hands on. A whole scan does not depend on what lies between its last byte and the
end marker; a scan that was cut reads on into it. So the picture is decoded a second time with other
bytes there, and must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.codestream import Codestream, require_end

_FILL = bytes(range(1, 255, 7)) * 8  # no 0xFF: nothing in it looks like a marker


def require_whole_scan(
    stream: bytes,
    found: Codestream,
    samples: NDArray[Any],
    decode: Callable[[bytes], NDArray[Any]],
) -> None:
    """Raise `InputError` ``E_TRUNCATED`` where `samples` were filled up by the decoder.

    Streams of several scans (progressive, or one a component) are tested in their last scan and
    must have their end marker; a single scan that is all there may lack it.
    """
    if not found.is_one_scan:
        require_end(stream)
    if found.restart_every and not _has_restarts(stream, found):
        raise _cut()
    end = stream.rfind(b"\xff\xd9")
    end = len(stream) if end < 0 else end
    longer = stream[:end] + _FILL + stream[end:]
    try:
        again = decode(longer)
    except (ValueError, RuntimeError):
        raise _cut() from None
    if not np.array_equal(again, samples):
        raise _cut()


def _has_restarts(stream: bytes, found: Codestream) -> bool:
    if not found.is_one_scan:
        return True  # each scan counts its own units
    expected = -(-found.units // found.restart_every) - 1
    return sum(stream.count(bytes((0xFF, code)), found.scan) for code in range(0xD0, 0xD8)) >= (
        expected
    )


def _cut() -> InputError:
    return InputError(
        "E_TRUNCATED",
        "expected more compressed data than found: the last rows are missing",
        fix="copy the file again from its source",
    )
