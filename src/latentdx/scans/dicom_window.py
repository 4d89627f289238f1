"""Display: which of a DICOM frame's values become black and white, and how those between."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.dicom_groups import frame_value, numbers
from latentdx.scans.dicom_lut import read_lut
from latentdx.scans.dicom_told import Told
from latentdx.scans.dicom_units import Units
from latentdx.scans.frames import Window
from latentdx.scans.intensity import Pixels, levels, to_unit

TAGS = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")

WINDOWED = frozenset({"CR", "DX", "MG", "RF", "XA", "CT"})
"""Modalities whose stored window or VOI LUT is used; the others are scaled by percentiles."""

CT_WINDOW = Window(40.0, 400.0)
"""What CT is shown with where the file gives no window (soft tissue, in HU): with the scan's own
percentiles the same tissue would be another grey in every scan."""

_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_LARGEST = 1e20
_GROUP = "FrameVOILUTSequence"


def display(units: Units, valid: NDArray[np.bool_] | None, voi: Any, done: list[str]) -> Pixels:
    """float32 (H, W) in 0..1 by `voi`: a `Window`, a `Lut`, or None for the values' percentiles.

    What was done is added to `done`.
    """
    if isinstance(voi, Window):
        done.append(f"window {voi.center:g}, {voi.width:g} {voi.function} applied")
        return apply_window(units, voi)
    if voi is not None:
        done.append("VOI LUT applied")
        return to_unit(voi.apply(units.whole()), 0, 2.0**voi.bits - 1)
    low, high, text = levels(units.values, valid)
    done.append(text)
    if not high > low:
        return np.zeros(units.values.shape, np.float32)
    return to_unit(units.values, *((low, high) if units.slope > 0 else (high, low)))


def apply_window(units: Units, window: Window) -> Pixels:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, with 0..1 for the output range."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        return _sigmoid(units, window)
    if window.function == "LINEAR":
        center, width = center - 0.5, max(width - 1, 1e-3)
    return to_unit(units.values, units.stored(center - width / 2), units.stored(center + width / 2))


def _sigmoid(units: Units, window: Window) -> Pixels:
    steepness = -4 / window.width
    scaled = units.values.astype(np.float64) * (steepness * units.slope)
    scaled += steepness * (units.intercept - window.center)
    return np.asarray(1 / (1 + np.exp(np.clip(scaled, -80, 80))), np.float32)


def file_voi(ds: Told, index: int, modality: str, signed: bool, done: list[str]) -> Any:
    """What the file shows frame `index` with: a `Lut`, a `Window`, CT's default, or None."""
    if modality not in WINDOWED:
        return None
    items = ds.get("VOILUTSequence")
    if items and "LUTData" in items[0]:
        if len(items) > 1:
            done.append(f"first of {len(items)} VOI LUTs")
        return read_lut(items[0], little=ds.little, signed=signed)
    window, count = file_window(ds, index)
    if window is not None:
        if count > 1:
            done.append(f"first of {count} windows")
        return window
    if modality == "CT":
        done.append(f"default CT window {CT_WINDOW.center:g}, {CT_WINDOW.width:g}")
        return CT_WINDOW
    return None


def file_window(ds: Told, index: int) -> tuple[Window | None, int]:
    """The first window of frame `index`, None where it gives no usable one; and how many it gives.

    A width below 1 has no meaning for LINEAR, nor one of 0 for the others.
    """
    centers = numbers(frame_value(ds, index, _GROUP, "WindowCenter"))
    widths = numbers(frame_value(ds, index, _GROUP, "WindowWidth"))
    if centers is None or widths is None:
        return None, 0
    if max(abs(centers[0]), abs(widths[0])) > _LARGEST:
        return None, 0
    function = str(frame_value(ds, index, _GROUP, "VOILUTFunction") or "LINEAR").upper()
    if function not in _FUNCTIONS or widths[0] < (1 if function == "LINEAR" else 1e-9):
        return None, 0
    return Window(centers[0], widths[0], function), min(len(centers), len(widths))
