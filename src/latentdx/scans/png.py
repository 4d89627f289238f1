"""PNG: its chunks told apart before a decoder sees them, and sixteen bits kept whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.picture_header import truncated

_SIGNATURE_BYTES = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type (PNG specification, 11.2.2)
_KEPT = frozenset((b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"))


@dataclass(frozen=True)
class Png:
    """A PNG by its chunks.

    Attributes
    ----------
    height, width, bits, colour: as in its header chunk.
    frames: 1, or what an animation announces.
    has_key: one grey level or colour is transparent (the chunk tRNS).
    has_profile: it holds a colour profile.
    lean: the file without the chunks that no pixel depends on: texts, which may unpack to
        anything and may name the patient, and profiles.
    """

    height: int
    width: int
    bits: int
    colour: int
    frames: int
    has_key: bool
    has_profile: bool
    lean: bytes

    @property
    def channels(self) -> int:
        """Samples a pixel."""
        return _CHANNELS[self.colour]

    @property
    def is_deep(self) -> bool:
        """Whether Pillow would drop bits: it keeps 16 of plain grey alone."""
        return self.bits == 16 and (self.colour != 0 or self.has_key)


def read_chunks(data: bytes, limits: Limits) -> Png:
    """Walk the chunks (PNG specification, section 5) up to IEND; each says how long it is.

    Raises `InputError` ``E_TRUNCATED``, ``E_SIZE``, ``E_BOMB`` or ``E_DECODE``.
    """
    if len(data) < 33:
        raise truncated(33, len(data))
    name, width, height, bits, colour = struct.unpack_from(">4sIIBB", data, 12)
    if name != b"IHDR" or colour not in _CHANNELS or bits not in (1, 2, 4, 8, 16):
        raise InputError("E_DECODE", "the header chunk of the PNG is damaged")
    limits.check_image(
        height, width, pixel_bytes=_CHANNELS[colour] * bits / 8, stored_bytes=len(data)
    )
    frames, seen, kept = 1, set[bytes](), [data[:_SIGNATURE_BYTES]]
    for name, start, end in _chunks(data):
        if name in (b"tRNS", b"iCCP"):
            seen.add(name)
        if name == b"acTL" and end - start >= 16:
            (frames,) = struct.unpack_from(">I", data, start + 8)
        if name[:1].isupper() or name in _KEPT:
            kept.append(data[start:end])
    lean = b"".join(kept)
    return Png(height, width, bits, colour, max(1, frames), b"tRNS" in seen, b"iCCP" in seen, lean)


def decode_deep(png: Png) -> NDArray[Any]:
    """(H, W, C) uint16, C of 2, 3 or 4, exactly.

    Raises `InputError` ``E_DECODE``.
    """
    from imagecodecs import png_decode

    if png.frames != 1:
        raise InputError("E_DECODE", "an animated PNG of 16 bits a channel is not read")
    try:
        values = np.asarray(png_decode(png.lean))
    except Exception as error:
        text = f"the picture cannot be decoded ({type(error).__name__})"
        raise InputError("E_DECODE", text) from None
    return values


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each chunk, its length and checksum included."""
    position = _SIGNATURE_BYTES
    while True:
        if position + 8 > len(data):
            raise truncated(position + 12, len(data))
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise truncated(end, len(data))
        if name[:1].isupper():
            _require_checksum(data, position, end)
        yield name, position, end
        if name == b"IEND":
            return
        position = end


def _require_checksum(data: bytes, start: int, end: int) -> None:
    (stored,) = struct.unpack_from(">I", data, end - 4)
    if zlib.crc32(memoryview(data)[start + 4 : end - 4]) != stored:
        raise InputError("E_DECODE", "a checksum of the PNG is wrong: its bytes were changed")
