"""Pixel data with nothing beside the picture: no spare bits, no bytes behind it, no comments."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentdx.core.errors import InputError
from latentdx.scans.profile_streams import clean_frame

_FLOATS = {"FloatPixelData": 4, "DoubleFloatPixelData": 8}


def clean_pixels(ds: Any, syntax: Any) -> None:
    """Clean the pixel elements of a data set in place; `syntax` is its transfer syntax.

    Native data are cut to the size that the header states, and bits that no pixel uses (where
    overlays once lived, PS3.5 8.1.2) become 0. Frames of JPEG, JPEG-LS and JPEG 2000 lose their
    comments. Raises `InputError` ``E_SIZE`` (native data too short) and ``E_DECODE`` (a transfer
    syntax whose stream cannot be cleaned: video, say).
    """
    little = bool(syntax.is_little_endian)
    for keyword, sample_bytes in _FLOATS.items():
        if keyword in ds:
            _cut(ds, keyword, 8 * sample_bytes, little=little)
    if "PixelData" not in ds:
        return
    if not syntax.is_compressed or syntax.is_deflated:
        _cut(ds, "PixelData", int(ds.BitsAllocated), little=little)
        _mask(ds, little=little)
    else:
        _clean_encapsulated(ds, syntax)


def _cut(ds: Any, keyword: str, bits: int, *, little: bool) -> None:
    data = ds[keyword].value
    samples = int(ds.get("SamplesPerPixel") or 1)
    # YBR_FULL_422 shares its colour samples between two pixels (PS3.3 C.7.6.3.1.2).
    if ds.get("PhotometricInterpretation") == "YBR_FULL_422" and samples == 3:
        samples = 2
    frames = int(ds.get("NumberOfFrames") or 1)
    n_bits = int(ds.Rows) * int(ds.Columns) * samples * frames * bits
    size = (n_bits + 7) // 8
    if len(data) < size:
        raise InputError(
            "E_SIZE",
            f"the pixel data hold {len(data)} bytes where {size} are needed",
            fix="the header is wrong: export the image again",
        )
    # Big endian words are swapped: of an odd size the last sample follows the filling byte.
    odd = size % 2
    ds[keyword].value = data[: size + odd] if odd and not little else data[:size] + b"\0" * odd


def _mask(ds: Any, *, little: bool) -> None:
    allocated, stored = int(ds.BitsAllocated), int(ds.get("BitsStored") or ds.BitsAllocated)
    if allocated not in (8, 16, 32) or not 0 < stored < allocated:
        return
    high = int(ds.get("HighBit") or stored - 1)
    high = high if stored - 1 <= high < allocated else stored - 1
    kind = np.dtype(f"{'<' if little else '>'}u{allocated // 8}")
    values = np.frombuffer(ds["PixelData"].value, kind)
    used = ((1 << stored) - 1) << (high - stored + 1)
    if ds.get("PixelRepresentation"):  # a negative number may fill the spare bits with its sign
        sign = (values >> high & 1).astype(bool)
        spare = ((1 << allocated) - 1) & ~((1 << (high + 1)) - 1)
        cleaned = np.where(sign, values & used | spare, values & used)
    else:
        cleaned = values & used
    ds["PixelData"].value = cleaned.astype(kind).tobytes()


def _clean_encapsulated(ds: Any, syntax: Any) -> None:
    from pydicom.encaps import encapsulate, generate_frames
    from pydicom.uid import (
        JPEG2000TransferSyntaxes,
        JPEGLSTransferSyntaxes,
        JPEGTransferSyntaxes,
        RLELossless,
    )

    n_frames = int(ds.get("NumberOfFrames") or 1)
    known = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes)
    if syntax not in known and syntax != RLELossless:
        raise InputError(
            "E_DECODE",
            "pixel data in this transfer syntax cannot be cleaned",
            fix="decompress the file first",
        )
    frames = list(generate_frames(ds["PixelData"].value, number_of_frames=n_frames))
    if syntax != RLELossless:
        frames = [clean_frame(frame) for frame in frames]
    ds["PixelData"].value = encapsulate(frames)
