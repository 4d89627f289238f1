"""Where DICOM frames lie in the patient, and how far apart their pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.dicom_groups import frame_group, frame_value, numbers
from latentdx.scans.dicom_told import Told

TAGS = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing",
    "NominalScannedPixelSpacing", "SpacingBetweenSlices", "SliceThickness", "PixelAspectRatio",
    "GridFrameOffsetVector",
)  # fmt: skip

_MEASURES = "PixelMeasuresSequence"
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def pixel_spacing(ds: Told, index: int) -> tuple[float, float] | None:
    """(row, column) spacing of frame `index` in mm, None where the file gives none that can be."""
    for keyword in _SPACINGS:
        found = numbers(frame_value(ds, index, _MEASURES, keyword), 2)
        if found is not None and min(found) > 0:
            return found[0], found[1]
    return None


def spacing_between(ds: Told) -> float | None:
    """Distance of neighbouring frames in mm: as stated, else the thickness of a slice."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        found = numbers(frame_value(ds, 0, _MEASURES, keyword), 1)
        if found is not None and found[0] != 0:
            return abs(found[0])
    return None


def positions(ds: Told, n_frames: int) -> NDArray[np.float64] | None:
    """(F, 3) of the first pixels' centres in mm, LPS; None where a frame's is missing.

    RT doses give one position and each frame's offset along the normal (PS3.3 C.8.8.3.2).
    """
    found = [
        numbers(_own(ds, index, n_frames, "PlanePositionSequence", "ImagePositionPatient"), 3)
        for index in range(n_frames)
    ]
    if all(found):
        return np.asarray(found, np.float64)
    return _offset_positions(ds, n_frames)


def orientations(ds: Told, n_frames: int) -> NDArray[np.float64] | None:
    """(F, 6) direction cosines of the rows' and columns' run; None where a frame's is missing."""
    group, keyword = "PlaneOrientationSequence", "ImageOrientationPatient"
    found = [numbers(frame_value(ds, index, group, keyword), 6) for index in range(n_frames)]
    return np.asarray(found, np.float64) if all(found) else None


def aspect_ratio(ds: Told) -> tuple[float, float] | None:
    """(vertical, horizontal) of a pixel that is not square and has no spacing, else None."""
    found = numbers(ds.get("PixelAspectRatio"), 2)
    if found is None or min(found) <= 0 or found[0] == found[1] or pixel_spacing(ds, 0):
        return None
    return found[0], found[1]


def _own(ds: Told, index: int, n_frames: int, group: str, keyword: str) -> Any:
    """A frame's own tag. The file's counts for its only frame: several cannot lie in one place."""
    if n_frames == 1:
        return frame_value(ds, index, group, keyword)
    item = frame_group(ds, index, group)
    return None if item is None else item.get(keyword)


def _offset_positions(ds: Told, n_frames: int) -> NDArray[np.float64] | None:
    first = numbers(ds.get("ImagePositionPatient"), 3)
    run = numbers(ds.get("ImageOrientationPatient"), 6)
    offsets = numbers(ds.get("GridFrameOffsetVector"), n_frames)
    if first is None or run is None or offsets is None:
        return None
    # Offsets that begin elsewhere than at 0 are positions along the normal themselves.
    steps = np.asarray(offsets) - offsets[0]
    normal = np.cross(run[:3], run[3:])
    return np.asarray(first) + steps[:, None] * normal
