"""PNG: its chunks told apart before a decoder sees them, and sixteen bits kept whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.limits import Limits
from latentdx.scans.picture_header import damaged, truncated

_SIGNATURE_BYTES = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type (PNG specification, 11.2.2)
_PIECE = 1 << 20
# First column and row, and steps, of each pass of an interlaced picture (PNG specification, 8.2).
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip
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
        raise damaged("the header chunk of the PNG is damaged")
    limits.check_image(
        height, width, pixel_bytes=_CHANNELS[colour] * bits / 8, stored_bytes=len(data)
    )
    frames, seen, kept = 1, set[bytes](), [data[:_SIGNATURE_BYTES]]
    pixels = _Pixels(_pixel_bytes(height, width, bits * _CHANNELS[colour], data[28]))
    for name, start, end in _chunks(data):
        if name == b"IDAT":
            pixels.add(memoryview(data)[start + 8 : end - 4])
        if name in (b"tRNS", b"iCCP"):
            seen.add(name)
        if name == b"acTL" and end - start >= 16:
            (frames,) = struct.unpack_from(">I", data, start + 8)
        if name[:1].isupper() or name in _KEPT:
            kept.append(data[start:end])
    pixels.require_all()
    lean = b"".join(kept)
    return Png(height, width, bits, colour, max(1, frames), b"tRNS" in seen, b"iCCP" in seen, lean)


def decode_deep(png: Png) -> NDArray[Any]:
    """(H, W, C) uint16, C of 2, 3 or 4, exactly.

    Raises `InputError` ``E_DECODE``.
    """
    from imagecodecs import png_decode

    if png.frames != 1:
        raise damaged("an animated PNG of 16 bits a channel is not read")
    try:
        values = np.asarray(png_decode(png.lean))
    except Exception as error:
        raise damaged(f"the picture cannot be decoded ({type(error).__name__})") from None
    return values


def _pixel_bytes(height: int, width: int, bits: int, interlaced: int) -> int:
    """Bytes of all filtered rows (PNG specification, sections 8 and 9), `bits` a pixel."""
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


class _Pixels:
    """Counts what the pixels unpack to: Pillow reads what is missing as zeros."""

    def __init__(self, expected: int) -> None:
        self._expected, self._found = expected, 0
        self._machine = zlib.decompressobj()

    def add(self, packed: memoryview) -> None:
        """One more chunk of pixels; nothing is unpacked beyond what is expected."""
        rest: bytes | memoryview = packed
        try:
            while rest and self._found < self._expected and not self._machine.eof:
                self._found += len(self._machine.decompress(rest, _PIECE))
                rest = self._machine.unconsumed_tail
        except zlib.error:
            raise damaged("the pixels of the PNG are damaged") from None

    def require_all(self) -> None:
        """Raise `InputError` ``E_TRUNCATED`` where the pixels end too early."""
        while self._found < self._expected and not self._machine.eof:
            piece = self._machine.decompress(b"", _PIECE)
            if not piece:
                break
            self._found += len(piece)
        if self._found < self._expected:
            raise truncated(self._expected, self._found)


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
        raise damaged("a checksum of the PNG is wrong: its bytes were changed")
