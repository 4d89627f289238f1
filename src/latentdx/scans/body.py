"""Crop to the body: what lies around it is air, and costs as much as what matters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.resample import resample_axes, without_padding
from latentdx.scans.volume import Volume

Box = tuple[slice, ...]

_COARSE = 64  # voxels along the longest side of the copy in which the body is sought
_MARGIN = 2  # of these, on each side
_BINS = 256
_CLIPPED = (1, 99)  # percentiles: metal and noise do not set the threshold


def crop_to_body(volume: Volume) -> Volume:
    """The box around the largest bright part, with a margin of 1/32 of the longest side.

    Sought in a smoothed, coarse copy by Otsu's threshold (IEEE Trans. SMC 9, 1979). A volume that
    the body fills, or a constant one, comes back unchanged.
    """
    box = body_box(without_padding(volume))
    shape = volume.values.shape
    if all(part == slice(0, side) for part, side in zip(box, shape, strict=True)):
        return volume
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    text = ", ".join(
        f"{part.start}:{part.stop} of {side}" for part, side in zip(box, shape, strict=True)
    )
    return replace(
        volume,
        values=volume.values[box],
        valid=None if volume.valid is None else volume.valid[box],
        mask=None if volume.mask is None else volume.mask[box],
        affine=affine,
        conversions=(*volume.conversions, f"cropped to the body: {text}"),
    )


def body_box(values: NDArray[Any]) -> Box:
    """Slices of (X, Y, Z) that hold the largest bright part and its margin.

    Examples
    --------
    >>> values = np.zeros((64, 64, 64))
    >>> values[20:40, 20:40, 20:40] = 1
    >>> body_box(values)[0]
    slice(18, 42, None)
    """
    from scipy import ndimage

    step = max(1.0, max(values.shape) / _COARSE)
    shape = tuple(max(1, round(side / step)) for side in values.shape)
    steps = tuple(old / new for old, new in zip(values.shape, shape, strict=True))
    coarse = resample_axes(values, shape, steps)
    coarse = ndimage.gaussian_filter(np.clip(coarse, *np.percentile(coarse, _CLIPPED)), 1)
    labels, count = ndimage.label(coarse > otsu(coarse))
    if not count:
        return tuple(slice(0, side) for side in values.shape)
    largest = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    part = ndimage.find_objects(labels, max_label=largest)[largest - 1]
    return tuple(
        _native(found, step, side)
        for found, step, side in zip(part, steps, values.shape, strict=True)
    )


def _native(found: slice, step: float, side: int) -> slice:
    """A range of coarse voxels, widened by the margin, as one of the volume's own."""
    start, stop = (found.start - _MARGIN) * step, (found.stop + _MARGIN) * step
    return slice(max(0, math.floor(start)), min(side, math.ceil(stop)))


def otsu(values: NDArray[Any]) -> float:
    """The threshold that parts the histogram into the two classes of least variance within.

    Examples
    --------
    >>> 1 < otsu(np.array([0.0, 1.0, 8.0, 9.0])) < 8
    True
    """
    if values.min() == values.max():
        return float(values.max())
    counts, edges = np.histogram(values, _BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    sums = np.cumsum(counts * centres)
    low, high = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * (high - low) ** 2.0)])
