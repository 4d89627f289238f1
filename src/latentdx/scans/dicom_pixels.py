"""DICOM pixels: from the decoder's integers to 0..1, brighter = more signal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, get_decoder
from pydicom.uid import RLELossless

from latentdx.core.errors import InputError
from latentdx.scans.codestream import broken_stream, require_same_size
from latentdx.scans.intensity import Pixels, merge_equal_channels, stretch, to_unit

TAGS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelAspectRatio",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "PixelPresentation",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
)  # fmt: skip

WINDOWED = frozenset({"CR", "DX", "MG", "RF", "XA", "CT"})
"""Modalities whose stored window or VOI LUT is used; the others are scaled by percentiles."""

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_BITS = (1, 8, 16, 32, 64)


def require_header(ds: Any) -> None:
    """Refuse what no decoder could make sense of; fill in the defaults that DICOM gives.

    Raises `InputError` ``E_PI`` or ``E_SIZE``.
    """
    interpretation = str(ds.get("PhotometricInterpretation") or "").strip()
    samples = int(ds.get("SamplesPerPixel") or 1)
    expected = 3 if interpretation in _COLOUR else 1
    if interpretation not in (*_GREY, *_COLOUR, "PALETTE COLOR") or samples != expected:
        known = interpretation if interpretation in (*_GREY, *_COLOUR, "PALETTE COLOR") else "?"
        raise InputError(
            "E_PI",
            f"photometric interpretation {known} with {samples} samples a pixel",
            fix="export the image again as MONOCHROME2 or RGB",
        )
    if ds.get("BitsAllocated") not in _BITS or not ds.get("Columns") or not ds.get("Rows"):
        raise InputError("E_SIZE", "rows, columns or bits allocated are missing or wrong")
    ds.SamplesPerPixel = samples
    ds.PhotometricInterpretation = interpretation
    ds.BitsStored = int(ds.get("BitsStored") or ds.BitsAllocated)
    ds.PixelRepresentation = int(ds.get("PixelRepresentation") or 0)


def decode(ds: Any, modality: str) -> tuple[Pixels, list[str]]:
    """float32 (1 or 3, H, W) in 0..1, and what was done, in order."""
    done: list[str] = []
    values, interpretation = _decoded(ds, done)
    if interpretation == "PALETTE COLOR":
        _restore_palette_order(ds)
        values = apply_color_lut(values, ds)[..., :3]
        done.append("palette resolved to RGB")
        return _colour(values, 8 * values.dtype.itemsize, done), done
    if interpretation in _GREY:
        return _grey(_masked(values, ds, done), ds, modality, done), done
    return _colour(values, ds.BitsStored, done), done


def _decoded(ds: Any, done: list[str]) -> tuple[NDArray[Any], str]:
    """Values (H, W) or (H, W, 3) and their photometric interpretation after decoding."""
    syntax = ds.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise InputError("E_DECODE", "unknown transfer syntax") from None
    if not decoder.is_available:
        raise InputError(
            "E_DECODE",
            f"no decoder is installed for {syntax.name}",
            fix="decompress it first (dcmdjpeg of dcmtk, say)",
        )
    if syntax.is_compressed and syntax != RLELossless:
        require_same_size(ds.PixelData, int(ds.Rows), int(ds.Columns))
        done.append(f"decoded from {syntax.name}")
    try:
        values, meta = decoder.as_array(ds, index=0, correct_unused_bits=False)
    except RuntimeError as error:  # what pydicom raises where every decoder has failed
        raise broken_stream(ds.PixelData, error) from None
    before, after = ds.PhotometricInterpretation, str(meta["photometric_interpretation"])
    if before != after:
        done.append(f"{before} converted to {after}")
    return values, after


def _restore_palette_order(ds: Any) -> None:
    """pydicom takes palettes as little endian, but a big endian file swaps their 16-bit words."""
    if ds.original_encoding[1]:
        return
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTableData"
        if name in ds:
            ds[name].value = np.frombuffer(ds[name].value, ">u2").astype("<u2").tobytes()


def _masked(values: NDArray[Any], ds: Any, done: list[str]) -> NDArray[Any]:
    """Keep the stored bits only (PS3.5 section 8.1.1): overlays used to live in the others."""
    stored, allocated = ds.BitsStored, 8 * values.dtype.itemsize
    syntax = ds.file_meta.TransferSyntaxUID
    if values.dtype.kind == "f" or not 0 < stored < allocated:
        return values
    if syntax.is_compressed and syntax != RLELossless:
        return values
    high = int(ds.get("HighBit") or stored - 1)
    high = high if stored - 1 <= high < allocated else stored - 1
    # Right shifts of signed integers copy the sign: shifting up, then down, leaves the value.
    masked: NDArray[Any] = (values << (allocated - 1 - high)) >> (allocated - stored)
    if (masked != values).any():
        done.append(f"masked to {stored} stored bits")
    return masked


def _grey(values: NDArray[Any], ds: Any, modality: str, done: list[str]) -> Pixels:
    """Modality, VOI and inversion; (1, H, W)."""
    valid = _valid(values, ds)
    units = _modality_units(values, ds, done)
    windowed = _windowed(units, ds, done) if modality in WINDOWED else None
    if windowed is None:
        windowed, text = stretch(units, valid)
        done.append(text)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        np.subtract(np.float32(1), windowed, out=windowed)
        done.append("MONOCHROME1 inverted")
    if valid is not None:
        windowed[~valid] = 0
        done.append("padding set to 0")
    return windowed[None]


def _valid(values: NDArray[Any], ds: Any) -> NDArray[np.bool_] | None:
    """Where the stored value is not padding (PS3.3 C.7.5.1.1.2); None where nothing is."""
    padding = ds.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return None
    limit = ds.get("PixelPaddingRangeLimit")
    low, high = sorted((padding, limit if isinstance(limit, int) else padding))
    valid: NDArray[np.bool_] = (values < low) | (values > high)
    return None if valid.all() or not valid.any() else valid


def _modality_units(values: NDArray[Any], ds: Any, done: list[str]) -> NDArray[Any]:
    if ds.get("ModalityLUTSequence"):
        done.append("modality LUT applied")
        return np.asarray(apply_modality_lut(values, ds))
    slope, intercept = _number(ds, "RescaleSlope", 1.0), _number(ds, "RescaleIntercept", 0.0)
    if (slope, intercept) == (1.0, 0.0):
        return values
    done.append(f"rescaled by {slope:g}, {intercept:g}")
    # float32 holds 24 bits, float64 53: wide integers keep theirs.
    units: NDArray[Any] = values.astype(np.float64 if values.dtype.itemsize > 2 else np.float32)
    units *= slope
    units += intercept
    return units


def _number(ds: Any, keyword: str, default: float) -> float:
    value = ds.get(keyword)
    return default if value is None or value == "" else float(value)


def _windowed(units: NDArray[Any], ds: Any, done: list[str]) -> Pixels | None:
    """By the VOI LUT, or the first window, that the file gives; None where it gives neither."""
    if ds.get("VOILUTSequence") and "LUTData" in ds.VOILUTSequence[0]:
        done.append("VOI LUT applied")
        # The LUT is an index: rescaled values are whole numbers where a VOI LUT makes sense.
        mapped = apply_voi(np.rint(units).astype(np.int32), ds)
        return to_unit(mapped, 0, 2.0 ** int(ds.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    window = _window(ds)
    if window is None:
        return None
    center, width, function = window
    done.append(f"window {center:g}, {width:g} {function} applied")
    if function == "SIGMOID":
        scaled = (units.astype(np.float32) - np.float32(center)) * np.float32(-4 / width)
        return np.asarray(1 / (1 + np.exp(np.clip(scaled, -80, 80))), np.float32)
    if function == "LINEAR":
        center, width = center - 0.5, max(width - 1, 1e-3)
    return to_unit(units, center - width / 2, center + width / 2)


def _window(ds: Any) -> tuple[float, float, str] | None:
    """Center, width and function (PS3.3 C.11.2.1.2) of the first usable window."""
    try:
        center, width = (
            float(np.atleast_1d(ds[tag].value)[0]) for tag in ("WindowCenter", "WindowWidth")
        )
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    function = str(ds.get("VOILUTFunction") or "LINEAR").upper()
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        return None
    usable = np.isfinite([center, width]).all() and width >= (1 if function == "LINEAR" else 1e-9)
    return (center, width, function) if usable else None


def _colour(values: NDArray[Any], bits: int, done: list[str]) -> Pixels:
    pixels = to_unit(values.transpose(2, 0, 1), 0, 2.0**bits - 1)
    merged = merge_equal_channels(pixels)
    if len(merged) != len(pixels):
        done.append("colour channels are equal: one channel kept")
    return np.ascontiguousarray(merged)
