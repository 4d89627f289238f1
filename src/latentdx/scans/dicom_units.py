"""From stored values to the scanner's units (DICOM's modality transformation, PS3.3 C.11.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.dicom_groups import frame_value, number
from latentdx.scans.dicom_lut import read_lut
from latentdx.scans.dicom_native import Native
from latentdx.scans.dicom_told import Told

TAGS = ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
        "PixelPaddingValue", "PixelPaddingRangeLimit")  # fmt: skip

_SMALLEST, _LARGEST = 1e-20, 1e20
_GROUP = "PixelValueTransformationSequence"


@dataclass(frozen=True)
class Units:
    """Values and the line that turns them into the scanner's units: slope * value + intercept.

    The line is kept apart, so that integers stay integers until they become grey levels.
    """

    values: NDArray[Any]
    slope: float = 1.0
    intercept: float = 0.0
    conversions: tuple[str, ...] = ()

    def whole(self) -> NDArray[Any]:
        """The values in units: float32, float64 for more than 16 bits, integers where equal."""
        if (self.slope, self.intercept) == (1.0, 0.0):
            return self.values
        # float32 holds 24 bits, float64 53: wide integers keep theirs.
        wide = self.values.dtype.itemsize > 2 and self.values.dtype != np.float32
        units: NDArray[Any] = self.values.astype(np.float64 if wide else np.float32)
        units *= self.slope
        units += self.intercept
        return units

    def stored(self, unit: float) -> float:
        """The stored value that lies at `unit`."""
        return (unit - self.intercept) / self.slope


def modality_units(native: Native, ds: Told, index: int) -> Units:
    """Frame `index` with its modality LUT or rescale, its own or the file's.

    Raises `InputError` ``E_DECODE`` where the slope is 0 or a number is not finite.
    """
    values = native.values
    if items := ds.get("ModalityLUTSequence"):
        signed = values.dtype.kind != "u"
        lut = read_lut(items[0], little=ds.little, signed=signed)
        return Units(lut.apply(values), conversions=("modality LUT applied",))
    slope = number(frame_value(ds, index, _GROUP, "RescaleSlope"), 1.0)
    intercept = number(frame_value(ds, index, _GROUP, "RescaleIntercept"), 0.0)
    if not _SMALLEST <= abs(slope) <= _LARGEST or abs(intercept) > _LARGEST:
        raise InputError(
            "E_DECODE",
            "the rescale slope is 0, or a number out of all proportion",
            fix="the header is wrong: export the image again",
        )
    done = () if (slope, intercept) == (1, 0) else (f"rescaled by {slope:g}, {intercept:g}",)
    return Units(values, slope, intercept, done)


def valid_mask(values: NDArray[Any], ds: Told) -> NDArray[np.bool_] | None:
    """Where the stored value is not padding (PS3.3 C.7.5.1.1.2); None where nothing is."""
    padding, limit = ds.get("PixelPaddingValue"), ds.get("PixelPaddingRangeLimit")
    if not isinstance(padding, int) or values.dtype.kind not in "iu":
        return None
    low = _as_stored(padding, values.dtype)
    high = _as_stored(limit, values.dtype) if isinstance(limit, int) else low
    low, high = min(low, high), max(low, high)
    valid = values != low if low == high else (values < low) | (values > high)
    return None if valid.all() or not valid.any() else valid


def _as_stored(value: int, dtype: np.dtype[Any]) -> int:
    """The padding value read with the pixels' sign: its VR is often the wrong one of US and SS."""
    info = np.iinfo(dtype)
    if info.min <= value <= info.max:
        return value
    return value - (1 << info.bits) if value > info.max else value + (1 << info.bits)
