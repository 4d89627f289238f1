"""One DICOM file against the independent readers: equal, different, refused, or beyond them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pixel_oracle_dcmtk as dcmtk
import pixel_oracle_itk as itk
from pydicom.uid import HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL, JPEG2000TransferSyntaxes

from latentdx.core.errors import InputError
from latentdx.scans.dicom_colour import rgb_values
from latentdx.scans.dicom_dataset import read_dataset
from latentdx.scans.dicom_header import GREY, PixelHeader, read_header, require_size
from latentdx.scans.dicom_native import Native, native_frames
from latentdx.scans.dicom_units import modality_units
from latentdx.scans.limits import Limits

FRAMES = 3  # of a long file the first ones only: all go the same way
_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53",
          "1.2.840.10008.1.2.4.55", "1.2.840.10008.1.2.4.91")  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """How far the worst value of the worst frame is from the oracle's, in grey levels."""

    name: str
    outcome: str  # "equal", "differs", "refused" or "oracle failed"
    oracle: str = ""
    worst: float = 0.0
    code: str = ""


def judge(path: Path, *, reference: Any = None) -> Verdict:
    """Compare the stored values (grey) or the RGB (colour) of a file with an oracle's.

    `reference` (F, H, W[, 3]) stands in where no oracle reads the file: the array it was made of.
    """
    try:
        found = list(_frames(path))
    except InputError as error:
        return Verdict(path.name, "refused", code=error.code)
    worst, oracle = 0.0, ""
    for index, (native, ds, header) in enumerate(found):
        try:
            distance, oracle = _distance(path, index, native, ds, header)
        except dcmtk.OracleError:
            if reference is None:
                return Verdict(path.name, "oracle failed")
            values = (
                native.values if native.interpretation in GREY else rgb_values(native, ds, [])[0]
            )
            distance, oracle = _furthest(values, reference[index]), "source"
        worst = max(worst, distance - _allowed(ds, native, header, oracle))
    return Verdict(path.name, "equal" if worst <= 0 else "differs", oracle, worst)


def native(path: Path) -> Iterator[Native]:
    """The first frames of a file as latentdx stores them."""
    return (found for found, _, _ in _frames(path))


def _frames(path: Path) -> Iterator[tuple[Native, Any, PixelHeader]]:
    data = path.read_bytes()
    ds = read_dataset(data, Limits())
    header = read_header(ds)
    require_size(ds, header, Limits(), len(data))
    for count, native in enumerate(native_frames(ds, header), start=1):
        yield native, ds, header
        if count == FRAMES:
            return


def _allowed(ds: Any, native: Native, header: PixelHeader, oracle: str) -> float:
    """Lossy codecs may round otherwise by a level; the rest is exact.

    DCMTK centres Cb and Cr on 127.5 where DICOM says 128 (PS3.3 C.7.6.3.1.2): up to two levels.
    """
    if "YBR" in native.interpretation and oracle == "dcmtk":
        return 2.0
    return 1.0 if ds.syntax in _LOSSY else 0.0


def _distance(
    path: Path, index: int, native: Native, ds: Any, header: PixelHeader
) -> tuple[float, str]:
    syntax = str(ds.syntax)
    is_grey = native.interpretation in GREY
    if syntax in (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL) or header.is_float:
        raise dcmtk.OracleError("neither oracle reads it")
    if syntax not in JPEG2000TransferSyntaxes:
        try:
            compare = _grey_dcmtk if is_grey else _colour_dcmtk
            return compare(path, index, native, ds, header), "dcmtk"
        except dcmtk.OracleError:
            pass
    compare = _grey_itk if is_grey else _colour_itk
    return compare(path, index, native, ds, header), "itk"


def _grey_dcmtk(path: Path, index: int, native: Native, ds: Any, header: PixelHeader) -> float:
    size = native.values.dtype.itemsize
    bits = 8 * size if size <= 2 else 32
    # A signed value of few bits in an unsigned container is still signed to DCMTK.
    oracle = dcmtk.stored_values(
        path, index, syntax=str(ds.syntax), bits=bits,
        signed=header.signed, inverted=native.interpretation == "MONOCHROME1",
    )  # fmt: skip
    return _furthest(native.values, oracle)


def _colour_dcmtk(path: Path, index: int, native: Native, ds: Any, header: PixelHeader) -> float:
    values, bits = rgb_values(native, ds, [])
    deep = bits > 8
    oracle = dcmtk.colours(path, index, syntax=str(ds.syntax), deep=deep)
    scale = ((1 << 16) - 1 if deep else 255) / ((1 << bits) - 1)
    return _furthest(values * scale, oracle)


def _grey_itk(path: Path, index: int, native: Native, ds: Any, header: PixelHeader) -> float:
    inverted = native.interpretation == "MONOCHROME1"
    oracle = itk.frame_units(path, index, bits=header.stored, inverted=inverted)
    units = modality_units(native, ds, index).whole()
    return _furthest(units, oracle, relative=1e-6)


def _colour_itk(path: Path, index: int, native: Native, ds: Any, header: PixelHeader) -> float:
    values, _ = rgb_values(native, ds, [])
    return _furthest(values, itk.frame_colours(path, index))


def _furthest(ours: Any, theirs: Any, *, relative: float = 1e-9) -> float:
    """The largest distance, float rounding left out; infinite for other shapes."""
    if ours.shape != theirs.shape:
        return float("inf")
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    apart = np.abs(ours - theirs) - relative * np.abs(theirs)
    return max(0.0, float(apart.max()))
