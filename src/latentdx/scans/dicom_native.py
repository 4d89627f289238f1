"""Stored DICOM values: each frame as the integers (or floats) that the scanner wrote.

What every later step starts from, and what is compared with other decoders in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import generate_frames

from latentdx.core.errors import InputError
from latentdx.scans.codecs import Decoded, Expected, decode_frame
from latentdx.scans.dicom_header import HALF, PixelHeader
from latentdx.scans.dicom_told import Told

# What these hold is a memory cell as it was, with all its bits: the unused ones are masked.
_WHOLE_CELLS = frozenset(
    {uid.RLELossless, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless}
)
_WRONG_HEADER = "the header is wrong: export the image again"


@dataclass(frozen=True)
class Native:
    """One frame before any change of grey levels or colours.

    Attributes
    ----------
    values: (H, W), or (H, W, 3); integers of the header's sign, its stored bits only; or floats.
    interpretation: of `values`; colours that a codec itself transforms are RGB by now.
    stored: bits that a value has.
    conversions: what was done, in words.
    """

    values: NDArray[Any]
    interpretation: str
    stored: int
    conversions: tuple[str, ...] = ()


def native_frames(ds: Told, header: PixelHeader) -> Iterator[Native]:
    """The frames of a data set whose header was checked, one decoded at a time.

    Raises `InputError` as `latentdx.scans.codecs.decode_frame` does, and ``E_TRUNCATED`` where
    fewer frames are there than announced.
    """
    if ds.syntax.is_encapsulated and header.is_float:
        raise InputError("E_DECODE", "compressed floating point pixels have no defined form")
    if ds.syntax.is_encapsulated:
        yield from _compressed(ds, header)
    else:
        header = _unhalved(ds, header)
        for index in range(header.frames):
            yield _plain(ds, header, index)


def _unhalved(ds: Told, header: PixelHeader) -> PixelHeader:
    """Colours that claim half the chrominance and hold it all are what they hold."""
    if header.interpretation == "YBR_PARTIAL_420":
        raise InputError("E_PI", "YBR_PARTIAL_420 is for compressed data only", fix=_WRONG_HEADER)
    whole = header.rows * header.columns * 3 * header.allocated // 8 * header.frames
    if header.interpretation not in HALF or len(ds.get(header.keyword) or b"") < whole:
        return header
    return replace(header, interpretation=HALF[header.interpretation])


def _compressed(ds: Told, header: PixelHeader) -> Iterator[Native]:
    syntax = ds.syntax
    expected = Expected(
        header.rows, header.columns, header.samples, header.allocated, header.interpretation
    )
    count = 0
    for stream in _streams(ds, header):
        yield _from_codec(decode_frame(stream, syntax, expected), header, syntax)
        count += 1
        if count == header.frames:
            return
    raise InputError(
        "E_TRUNCATED",
        f"expected {header.frames} frames, found {count}",
        fix="copy the file again from its source",
    )


def _streams(ds: Told, header: PixelHeader) -> Iterator[bytes]:
    offsets, lengths = ds.get("ExtendedOffsetTable"), ds.get("ExtendedOffsetTableLengths")
    extended = (offsets, lengths) if offsets and lengths else None
    frames = generate_frames(
        ds.get(header.keyword) or b"", number_of_frames=header.frames, extended_offsets=extended
    )
    try:
        yield from frames
    except ValueError:
        raise InputError(
            "E_DECODE",
            "it cannot be told which compressed bytes belong to which frame",
            fix="export the image again, with an offset table",
        ) from None


def _from_codec(decoded: Decoded, header: PixelHeader, syntax: Any) -> Native:
    """The codec's samples as the header's integers, disagreements settled and recorded."""
    done = [] if syntax == uid.RLELossless else [f"decoded from {syntax.name}"]
    if decoded.note:
        done.append(decoded.note)
    elif decoded.interpretation != header.interpretation:
        done.append(f"{header.interpretation} converted to {decoded.interpretation}")
    if header.samples > 1:
        return Native(decoded.samples, decoded.interpretation, _depth(decoded, header), tuple(done))
    values, bits = decoded.samples, decoded.precision
    if syntax in _WHOLE_CELLS and bits > header.stored and bits == header.allocated:
        values = _masked(_signed(values, header.signed), header, done)
        return Native(values, decoded.interpretation, header.stored, tuple(done))
    if bits != header.stored:
        done.append(f"{bits} bits in the stream, {header.stored} in the header: the stream's kept")
    if decoded.signed is not None and decoded.signed != header.signed:
        done.append("sign as in the header, not as in the stream")
    if (decoded.signed or False) != header.signed:
        values = _resigned(values, bits, header.signed)
    return Native(values, decoded.interpretation, bits, tuple(done))


def _depth(decoded: Decoded, header: PixelHeader) -> int:
    """Bits that make white in a colour image: the stream's, unless it holds whole cells."""
    return header.stored if decoded.precision == header.allocated else decoded.precision


def _signed(values: NDArray[Any], signed: bool) -> NDArray[Any]:
    return values.view(f"{'i' if signed else 'u'}{values.dtype.itemsize}")


def _resigned(values: NDArray[Any], bits: int, signed: bool) -> NDArray[Any]:
    """Integers of `bits` bits read anew, as signed or unsigned ones."""
    unused = 8 * values.dtype.itemsize - bits
    shifted = _signed(np.left_shift(values, unused), signed)
    anew: NDArray[Any] = np.right_shift(shifted, unused)
    return anew


def _plain(ds: Told, header: PixelHeader, index: int) -> Native:
    """One uncompressed frame."""
    little = bool(ds.syntax.is_little_endian)
    done: list[str] = []
    interpretation = header.interpretation
    if header.allocated == 1:
        values = _bits(ds, header, index, little)
    else:
        values = _cells(ds, header, index, little)
    if header.samples > 1:
        values = _colour_frame(values, header)
        interpretation = HALF.get(interpretation, interpretation)
    else:
        values = values.reshape(header.rows, header.columns)
    if not header.is_float and header.allocated > 1:
        values = _masked(values, header, done)
    return Native(values, interpretation, header.stored, tuple(done))


def _cells(ds: Told, header: PixelHeader, index: int, little: bool) -> NDArray[Any]:
    """The cells of a frame, flat, in this machine's byte order."""
    data = ds.get(header.keyword)
    length = header.frame_bits // 8
    start = index * length
    kind = "f" if header.is_float else "iu"[not header.signed or header.samples > 1]
    if header.allocated == 8:
        # Bytes stored as big endian words come in swapped pairs (PS3.5 section 8.1.1, Annex A.3).
        swapped = not little and ds.is_words(header.keyword)
        raw = _bytes(data, start, length, swapped)
        return raw.view(f"{kind}1")
    if not little and header.allocated > 16 and ds.is_words(header.keyword):
        # By the letter their words are swapped and keep their order; common writers turn them over.
        raise InputError(
            "E_DECODE",
            f"big endian pixels of {header.allocated} bits, which writers store in two ways",
            fix="export the image again in little endian",
        )
    order = "<" if little else ">"
    cells = np.frombuffer(data, f"{order}{kind}{header.allocated // 8}",
                          length * 8 // header.allocated, start)  # fmt: skip
    return cells.astype(cells.dtype.newbyteorder("="), copy=False)


def _bytes(data: bytes, start: int, length: int, swapped: bool) -> NDArray[np.uint8]:
    if not swapped:
        return np.frombuffer(data, np.uint8, length, start)
    first, end = start - start % 2, start + length + (start + length) % 2
    words = np.frombuffer(data[first:end].ljust(end - first, b"\0"), np.uint16).byteswap()
    return words.view(np.uint8)[start - first : start - first + length]


def _bits(ds: Told, header: PixelHeader, index: int, little: bool) -> NDArray[np.uint8]:
    """A frame of one bit a pixel, packed from the lowest bit up, frames end to end."""
    data, n_pixels = ds.get(header.keyword), header.rows * header.columns
    first = index * n_pixels
    start, end = first // 8, -(-(first + n_pixels) // 8)
    packed = _bytes(data, start, end - start, not little and ds.is_words(header.keyword))
    return np.unpackbits(packed, bitorder="little")[first % 8 : first % 8 + n_pixels]


def _colour_frame(values: NDArray[Any], header: PixelHeader) -> NDArray[Any]:
    rows, columns = header.rows, header.columns
    if header.interpretation in HALF:
        return _doubled(values, rows, columns)
    if header.planar:
        return values.reshape(3, rows, columns).transpose(1, 2, 0)
    return values.reshape(rows, columns, 3)


def _doubled(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Y1 Y2 Cb Cr to two pixels (PS3.3 C.7.6.3.1.2)."""
    if columns % 2:
        raise InputError(
            "E_PI", "an odd number of columns with half the chrominance", fix=_WRONG_HEADER
        )
    pairs = values.reshape(rows, columns // 2, 4)
    out = np.empty((rows, columns, 3), values.dtype)
    out[:, 0::2, 0], out[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
    for channel in (1, 2):
        out[:, 0::2, channel] = out[:, 1::2, channel] = pairs[..., channel + 1]
    return out


def _masked(values: NDArray[Any], header: PixelHeader, done: list[str]) -> NDArray[Any]:
    """Keep the stored bits only (PS3.5 section 8.1.1): overlays used to live in the others."""
    width = 8 * values.dtype.itemsize
    if header.stored >= width or _fits(values, header):
        return values
    # Right shifts of signed integers copy the sign: shifting up, then down, leaves the value.
    masked: NDArray[Any] = values << (width - 1 - header.high)
    masked >>= width - header.stored
    done.append(f"masked to {header.stored} stored bits")
    return masked


def _fits(values: NDArray[Any], header: PixelHeader) -> bool:
    """Whether no bit outside the stored ones is set (or is but the sign, copied up)."""
    if header.high != header.stored - 1 or not values.size:
        return False
    low, high = int(values.min()), int(values.max())
    if header.signed and header.samples == 1:
        return -(1 << (header.stored - 1)) <= low and high < 1 << (header.stored - 1)
    return high < 1 << header.stored
