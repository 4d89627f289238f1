"""What a frame looks like: latentdx's 0..1 against DCMTK's 8 bits, in grey levels of 255."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pixel_oracle_dcmtk as dcmtk
from pydicom.uid import JPEG2000TransferSyntaxes

from latentdx.core.errors import InputError
from latentdx.scans.dicom import read_dicom
from latentdx.scans.dicom_dataset import read_dataset
from latentdx.scans.dicom_header import GREY, read_header
from latentdx.scans.dicom_window import WINDOWED
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

_FRAMES = 2


def distances(path: Path, key: bytes) -> Iterator[tuple[str, float]]:
    """(what was compared, the largest distance in levels) of a grey file that both can show."""
    data = path.read_bytes()
    try:
        ds = read_dataset(data, Limits())
        header = read_header(ds)
        syntax = str(ds.syntax)
        if header.interpretation not in GREY or header.allocated == 1 or header.is_float:
            return
        if syntax in JPEG2000TransferSyntaxes or syntax.startswith("1.2.840.10008.1.2.4.20"):
            return  # dcm2pnm reads none of these
        scans = list(_scans(data, key, window=None))
        window = _middle_window(ds, header)
        asked = list(_scans(data, key, window=window))
    except InputError:
        return
    for index, scan in enumerate(asked):
        # DCMTK shows c - 0.5 -+ (w - 1) / 2; asked for is c -+ w / 2.
        options = ("+Wfl", "+Ww", *(f"{number:.6f}" for number in (window[0] + 0.5, window[1] + 1)))
        apart = _apart(path, index, syntax, options, scan)
        yield f"asked {index}", apart - _rounding(ds, window[1])
    for index, scan in enumerate(scans):
        if (options := _of_file(ds, scan)) is not None:
            apart = _apart(path, index, syntax, options, scan)
            width = float(np.atleast_1d(ds.get("WindowWidth") or np.inf)[0])
            yield f"file {index}", apart - _rounding(ds, width)


def _scans(data: bytes, key: bytes, *, window: tuple[float, float] | None) -> Iterator[Scan]:
    policy = Policy(frames="each", window=window)
    for count, scan in enumerate(read_dicom(data, Limits(), key=key, policy=policy), start=1):
        yield scan
        if count == _FRAMES:
            return


def _middle_window(ds: Any, header: Any) -> tuple[float, float]:
    """The middle half of the stored range, in the file's units."""
    slope, intercept = float(ds.get("RescaleSlope") or 1), float(ds.get("RescaleIntercept") or 0)
    middle = 0 if header.signed else 1 << (header.stored - 1)
    width = max(2.0, abs(slope) * (1 << (header.stored - 1)))
    return round(middle * slope + intercept, 6), round(width, 6)


def _rounding(ds: Any, width: float) -> float:
    """DCMTK rescales to whole units; a fraction lost is this much of a grey level."""
    slope, intercept = float(ds.get("RescaleSlope") or 1), float(ds.get("RescaleIntercept") or 0)
    return 0.0 if slope.is_integer() and intercept.is_integer() else 255 / width


def _of_file(ds: Any, scan: Scan) -> tuple[str, ...] | None:
    if scan.modality not in WINDOWED:
        return None
    if "VOI LUT applied" in scan.conversions:
        return ("+Wl", "1")
    if not any(done.startswith("window") for done in scan.conversions):
        return None
    bent = ("+Wfs",) if ds.get("VOILUTFunction") == "SIGMOID" else ()
    return ("+Wi", "1", *bent) if ds.get("WindowCenter") is not None else None


def _apart(path: Path, index: int, syntax: str, options: tuple[str, ...], scan: Scan) -> float:
    theirs = dcmtk.displayed(path, index, syntax=syntax, voi=options).astype(float)
    ours = scan.pixels[0].astype(float) * 255
    apart = np.abs(ours - theirs)
    if "padding set to 0" in scan.conversions:
        apart = apart[scan.pixels[0] > 0]
    return float(apart.max(initial=0))
