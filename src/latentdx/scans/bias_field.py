"""The slow change of brightness across an MR image, divided out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.regions import region_mask
from latentdx.scans.resample import resample_axes
from latentdx.scans.scan import Scan

_COARSE = {2: 96, 3: 48}
_PASSES = (30, 30, 20)
_FEWEST = 4  # samples along an axis: a spline through fewer has nothing to say
_DARKEST = 0.02  # of the range: logarithms need something above 0


def without_bias(scan: Scan) -> Scan:
    """The scan divided by its bias field, found by N4 within the body, each channel by itself.

    N4 is that of Tustison et al. (IEEE Trans. Med. Imaging 29, 2010), as SimpleITK has it, in a
    coarse copy; the field is scaled so that the body's mean stays, and results are clipped to 0..1.

    Raises `InputError` ``E_EXTRA`` where SimpleITK is not installed.
    """
    inside = region_mask(scan.pixels.mean(axis=0), "body")
    pixels = np.stack([_corrected(channel, inside) for channel in scan.pixels])
    return replace(
        scan, pixels=pixels, conversions=(*scan.conversions, "bias field divided out (N4)")
    )


def _corrected(channel: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    step = max(1.0, max(channel.shape) / _COARSE[channel.ndim])
    shape = tuple(max(1, round(side / step)) for side in channel.shape)
    steps = tuple(old / new for old, new in zip(channel.shape, shape, strict=True))
    thin = [axis for axis, side in enumerate(shape) if side < _FEWEST]
    if len(thin) == 1 and channel.ndim == 3:  # slices, each by itself
        slices = zip(np.moveaxis(channel, thin[0], 0), np.moveaxis(inside, thin[0], 0), strict=True)
        return np.stack([_corrected(*each) for each in slices], axis=thin[0])
    if thin:
        return channel
    coarse = resample_axes(channel, shape, steps)
    mask = resample_axes(inside, shape, steps) >= np.float32(0.5)
    if not mask.any():
        return channel
    field = _log_field(coarse + np.float32(_DARKEST), mask)
    back = tuple(1 / each for each in steps)
    field = np.exp(resample_axes(field, channel.shape, back))
    field /= field[inside].mean()
    changed = channel / field
    changed *= channel[inside].mean() / max(float(changed[inside].mean()), 1e-6)
    return np.asarray(np.clip(changed, 0, 1), np.float32)


def _log_field(coarse: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    itk = _itk()
    image, where = itk.GetImageFromArray(coarse), itk.GetImageFromArray(mask.astype(np.uint8))
    filter_ = itk.N4BiasFieldCorrectionImageFilter()
    filter_.SetMaximumNumberOfIterations(_PASSES)
    filter_.SetNumberOfThreads(1)
    filter_.Execute(image, where)
    found = itk.GetArrayFromImage(filter_.GetLogBiasFieldAsImage(image))
    return np.asarray(found, np.float32)


def _itk() -> Any:
    try:
        import SimpleITK
    except ImportError:
        raise InputError(
            "E_EXTRA",
            "the bias field needs SimpleITK, which is not installed",
            fix="pip install 'latentdx[mr]', or leave the bias field as it is",
        ) from None
    return SimpleITK
