"""Resampling: linear, axis by axis, and smoothed just as much as a coarser grid asks for.

A new sample is the mean of the old ones under a triangle whose half width is one old sample, or
one new sample where that is larger: plain linear interpolation towards finer grids, anti-aliased
towards coarser ones (the tent filter of Turkowski, "Filters for common resampling tasks", 1990).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.memory_order import inverse_axes, memory_axes
from latentdx.scans.orientation import voxel_sizes
from latentdx.scans.volume import Volume

Pixels = NDArray[np.float32]
Sides = tuple[int, ...]

_SAME = 1e-3  # a step this close to 1 is no change


def resample_axes(values: NDArray[Any], shape: Sides, steps: tuple[float, ...]) -> Pixels:
    """(X, Y, ...) on a grid of `shape` with the same centre; float32.

    `steps` are the new distances of samples in units of the old ones. What lies outside takes the
    value of the edge. An axis of the same length and step stays as it is.

    Examples
    --------
    >>> resample_axes(np.array([0.0, 2.0, 4.0, 6.0]), (2,), (2.0,)).tolist()
    [1.4285714626312256, 4.5714287757873535]
    """
    order = memory_axes(values)
    values = values.transpose(order)
    shape, steps = tuple(shape[axis] for axis in order), tuple(steps[axis] for axis in order)
    axes = [
        axis
        for axis, (old, new, step) in enumerate(zip(values.shape, shape, steps, strict=True))
        if old != new or step != 1
    ]
    # The axis that shrinks most comes first: the others then have less to do.
    for axis in sorted(axes, key=lambda axis: shape[axis] / values.shape[axis]):
        values = _resample_axis(values, axis, shape[axis], steps[axis])
    return values.astype(np.float32, copy=False).transpose(inverse_axes(order))


def _resample_axis(values: NDArray[Any], axis: int, length: int, step: float) -> Pixels:
    index, weight = _taps(values.shape[axis], length, step)
    side = [1] * values.ndim
    side[axis] = length
    total = np.zeros((*values.shape[:axis], length, *values.shape[axis + 1 :]), np.float32)
    for tap in range(index.shape[1]):
        total += values.take(index[:, tap], axis) * weight[:, tap].reshape(side)
    return total


def _taps(old: int, new: int, step: float) -> tuple[NDArray[np.intp], Pixels]:
    """For each new sample the old ones under its triangle, and their weights: (new, taps) each."""
    centre = (np.arange(new) - (new - 1) / 2) * step + (old - 1) / 2
    centre = np.clip(centre, 0, old - 1)
    radius = max(1.0, step)
    first = np.floor(centre - radius).astype(np.intp) + 1
    index = first[:, None] + np.arange(math.ceil(2 * radius))
    weight = np.clip(1 - np.abs(index - centre[:, None]) / radius, 0, None)
    weight[(index < 0) | (index >= old)] = 0
    weight /= weight.sum(axis=1, keepdims=True)
    used = weight.any(axis=0)
    return np.clip(index, 0, old - 1)[:, used], weight[:, used].astype(np.float32)


def to_spacing(volume: Volume, spacing_mm: float, limits: Limits | None = None) -> Volume:
    """The volume with voxels of `spacing_mm` along each axis, about the same centre.

    Raises `InputError` ``E_AFFINE`` where the volume's own spacing is not known, ``E_SIZE`` where
    the result would be larger than `limits` allow.
    """
    if not volume.has_spacing:
        raise InputError(
            "E_AFFINE",
            "the file does not tell the size of its voxels, which resampling to mm needs",
            fix="correct its header, or read it without resampling",
        )
    old, sizes = volume.values.shape, voxel_sizes(volume.affine)
    steps = tuple(
        1.0 if abs(spacing_mm / size - 1) < _SAME else spacing_mm / size for size in sizes
    )
    if steps == (1.0, 1.0, 1.0):
        return volume
    shape = tuple(max(1, round(side / step)) for side, step in zip(old, steps, strict=True))
    _require_room(shape, limits or Limits())
    affine = volume.affine.copy()
    affine[:3, :3] *= steps
    shift = (np.array(old) - 1) / 2 - (np.array(shape) - 1) / 2 * steps
    affine[:3, 3] += volume.affine[:3, :3] @ shift
    done = f"resampled from {_text(sizes)} to {spacing_mm:g} mm voxels"
    return replace(
        volume,
        values=resample_axes(without_padding(volume), shape, steps),
        valid=None if volume.valid is None else _resampled_mask(volume.valid, shape, steps),
        mask=None if volume.mask is None else _resampled_mask(volume.mask, shape, steps),
        affine=affine,
        conversions=(*volume.conversions, done),
    )


def without_padding(volume: Volume) -> NDArray[Any]:
    """Values whose padding is the lowest real value: its own would bleed into the edges."""
    if volume.valid is None or not volume.valid.any():
        return volume.values
    return np.where(volume.valid, volume.values, volume.values[volume.valid].min())


def _resampled_mask(
    mask: NDArray[np.bool_], shape: Sides, steps: tuple[float, ...]
) -> NDArray[np.bool_]:
    return resample_axes(mask, shape, steps) >= np.float32(0.5)


def _require_room(shape: Sides, limits: Limits) -> None:
    needed = 4 * math.prod(shape)
    if needed > limits.file_bytes:
        raise InputError(
            "E_SIZE",
            f"resampling would make {' x '.join(map(str, shape))} voxels, {needed} bytes; "
            f"the limit is {limits.file_bytes}",
            fix="resample to larger voxels; check the voxel size in its header",
        )


def _text(sizes: tuple[float, ...]) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes)
