"""SimpleITK (GDCM and OpenJPEG inside) as an independent reader of DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813 (its own convention)
from pixel_oracle_dcmtk import OracleError


def frame_units(path: Path, index: int, *, bits: int, inverted: bool) -> Any:
    """(H, W) of a grey frame in modality units; ITK turns MONOCHROME1 over, this turns it back."""
    values = _frame(path, index, n_axes=2)
    return (1 << bits) - 1 - values.astype("int64") if inverted else values


def frame_colours(path: Path, index: int) -> Any:
    """(H, W, 3) RGB of a frame."""
    return _frame(path, index, n_axes=3)


def _frame(path: Path, index: int, *, n_axes: int) -> Any:
    try:
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise OracleError(str(error)[-200:]) from None
    return values[index] if values.ndim > n_axes else values
