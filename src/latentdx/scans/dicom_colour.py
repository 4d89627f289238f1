"""Colours of a DICOM frame: palettes and YCbCr to RGB."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.dicom_lut import words
from latentdx.scans.dicom_native import Native
from latentdx.scans.dicom_told import Told
from latentdx.scans.intensity import Pixels, merge_equal_channels, to_unit

_COLOURS = ("Red", "Green", "Blue")

TAGS = (
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in _COLOURS),
    *(f"{colour}PaletteColorLookupTableData" for colour in _COLOURS),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in _COLOURS),
)

# PS3.3 C.7.6.3.1.2 (ITU-R BT.601): offsets of Y and of Cb, Cr in units of 2^(bits - 8), then the
# weights of Y, of Cr in red, of Cb and Cr in green, and of Cb in blue.
_FULL = (0.0, 1.0, 1.402, 0.114 * 1.772 / 0.587, 0.299 * 1.402 / 0.587, 1.772)
_RANGE, _CHROMA = 255 / 219, 255 / 224
_PARTIAL = (16.0, _RANGE, *(weight * _CHROMA for weight in _FULL[2:]))


def colour_pixels(native: Native, ds: Told, done: list[str]) -> Pixels:
    """float32 (3, H, W) in 0..1, or (1, H, W) where the channels are equal but for noise.

    What was done is added to `done`. Raises `InputError` ``E_PI`` as `rgb_values` does.
    """
    values, bits = rgb_values(native, ds, done)
    pixels = to_unit(values.transpose(2, 0, 1), 0, 2.0**bits - 1)
    merged = merge_equal_channels(pixels)
    if len(merged) != len(pixels):
        done.append("colour channels are equal: one channel kept")
    return np.ascontiguousarray(merged)


def rgb_values(native: Native, ds: Told, done: list[str]) -> tuple[NDArray[Any], int]:
    """(H, W, 3) whole numbers of red, green and blue, and the bits that make white.

    Raises `InputError` ``E_PI`` where a palette is missing or contradictory.
    """
    if native.interpretation == "RGB":
        return native.values, native.stored
    if native.interpretation == "PALETTE COLOR":
        done.append("palette resolved to RGB")
        return _from_palette(native.values, ds)
    done.append(f"{native.interpretation} converted to RGB")
    return _from_ybr(native.values, native.interpretation, native.stored), native.stored


def _from_ybr(values: NDArray[Any], interpretation: str, stored: int) -> NDArray[Any]:
    if interpretation in ("YBR_RCT", "YBR_ICT"):
        raise InputError("E_PI", f"{interpretation} is for JPEG 2000 only")
    weights = _PARTIAL if "PARTIAL" in interpretation else _FULL
    black, luma, red, green_b, green_r, blue = weights
    unit = 2.0 ** (stored - 8)
    samples: NDArray[Any] = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    y = (samples[..., 0] - black * unit) * luma
    cb, cr = samples[..., 1] - 128 * unit, samples[..., 2] - 128 * unit
    rgb = np.stack([y + red * cr, y - green_b * cb - green_r * cr, y + blue * cb], axis=-1)
    whole: NDArray[Any] = np.clip(np.rint(rgb), 0, 2.0**stored - 1)
    return whole


def _from_palette(values: NDArray[Any], ds: Told) -> tuple[NDArray[Any], int]:
    """Entries (H, W, 3) and their bits (PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6)."""
    tables, firsts, bits = zip(*(_table(ds, colour) for colour in _COLOURS), strict=True)
    if len(set(bits)) > 1:
        raise InputError("E_PI", "the three palettes have different depths")
    channels = [
        table[np.clip(values.astype(np.int64) - first, 0, len(table) - 1)]
        for table, first in zip(tables, firsts, strict=True)
    ]
    return np.stack(channels, axis=-1), bits[0]


def _table(ds: Told, colour: str) -> tuple[NDArray[np.uint16], int, int]:
    """Entries, the value that the first is for, and bits an entry."""
    descriptor = ds.get(f"{colour}PaletteColorLookupTableDescriptor")
    if descriptor is None or len(descriptor) != 3:
        raise _no_palette()
    count, first, bits = (int(number) for number in descriptor)
    count = count or 1 << 16
    if first >= 1 << 15 and ds.get("PixelRepresentation") == 1:
        first -= 1 << 16
    if bits not in (8, 16):
        raise InputError("E_PI", f"a palette of {bits} bits an entry")
    little = ds.little
    data = ds.get(f"{colour}PaletteColorLookupTableData")
    if data:
        table = words(data, count, little=little)
    else:
        segments = ds.get(f"Segmented{colour}PaletteColorLookupTableData")
        if not segments:
            raise _no_palette()
        table = _Unrolling(_segment_words(segments, bits, little), bits, count).table()
    if len(table) < count:
        raise InputError("E_PI", f"a palette of {count} entries holds {len(table)}")
    table = table[:count]
    # Where 8-bit entries lie in 16-bit words, or the descriptor says 8 and means 16.
    return table, first, 16 if table.max(initial=0) > 255 else bits


def _no_palette() -> InputError:
    return InputError("E_PI", "a palette is missing", fix="export the image again as RGB")


def _segment_words(data: bytes, bits: int, little: bool) -> list[int]:
    if bits == 8:
        return list(data)
    order = "<u2" if little else ">u2"
    return [int(word) for word in np.frombuffer(data, order, len(data) // 2)]


@dataclass
class _Unrolling:
    """Discrete, linear and indirect segments on their way to a table (PS3.3 C.7.9.2)."""

    segments: list[int]
    bits: int
    limit: int
    entries: list[float] = field(default_factory=list)

    def table(self) -> NDArray[np.uint16]:
        at = 0
        while at + 1 < len(self.segments) and len(self.entries) < self.limit:
            at = self.step(at, may_jump=True)
        whole: NDArray[np.uint16] = np.rint(np.asarray(self.entries)).astype(np.uint16)
        return whole

    def step(self, at: int, *, may_jump: bool) -> int:
        """Unroll the segment at `at`; return where the next begins."""
        kind, count, rest = self.segments[at], self.segments[at + 1], self.segments[at + 2 :]
        if kind == 0 and len(rest) >= count:
            self.entries += rest[:count]
            return at + 2 + count
        if kind == 1 and self.entries and rest:
            self.entries += np.linspace(self.entries[-1], rest[0], count + 1)[1:].tolist()
            return at + 3
        if kind == 2 and may_jump and len(rest) >= 32 // self.bits:
            return self.jump(at, count)
        raise InputError("E_PI", "the segments of a palette contradict each other")

    def jump(self, at: int, count: int) -> int:
        """Unroll `count` earlier segments again, from a byte offset of 32 bits, low part first."""
        parts = self.segments[at + 2 : at + 2 + 32 // self.bits]
        offset = sum(part << (self.bits * place) for place, part in enumerate(parts))
        source = offset * 8 // self.bits
        for _ in range(count):
            if source + 1 >= at:
                raise InputError("E_PI", "a segment of a palette refers to what is not there")
            source = self.step(source, may_jump=False)
        return at + 2 + len(parts)
