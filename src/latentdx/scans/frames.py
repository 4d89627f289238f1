"""`Frames`: the frames of one DICOM file in the scanner's units, with where each lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """A display window (PS3.3 C.11.2.1.2); `function` is LINEAR, LINEAR_EXACT or SIGMOID."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True)
class Frames:
    """Frames before any display window; what a volume is assembled from.

    Attributes
    ----------
    values: (F, H, W) after the modality LUT or rescale (HU for CT).
    valid: bool (F, H, W), False where a value is padding; None where none is.
    positions: (F, 3) mm in DICOM's patient axes (LPS), of the first pixel's centre; None where the
        file does not say.
    orientations: (F, 6) direction cosines of rows' and columns' run (ImageOrientationPatient).
    spacing_mm: (row, column) of a frame, or None.
    spacing_between_mm: distance of neighbouring frames where the file states it, else None.
    window: the file's own, or None.
    inverted: MONOCHROME1, low values are bright.
    identity: fields of `Scan` by name (patient, study, series, modality, site, covariates ...).
    conversions: what was done so far, in words.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_] | None = None
    positions: NDArray[np.float64] | None = None
    orientations: NDArray[np.float64] | None = None
    spacing_mm: tuple[float, float] | None = None
    spacing_between_mm: float | None = None
    window: Window | None = None
    inverted: bool = False
    identity: dict[str, Any] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
