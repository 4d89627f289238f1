"""Slices at uneven distances: a missing one is filled, other unevenness is resampled away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.stack import Stack

Array = NDArray[np.float64]

_EVEN = 0.1  # of the usual distance
_HOLE = 1.9  # times the usual distance: a slice is missing
_WIDEST = 4.0  # times the usual distance: further apart, nothing is known of what lies between
_RUN = 3  # so many equal wide steps in a row are another spacing, not missing slices


def evened(stack: Stack) -> tuple[Stack, float | None]:
    """Slices at equal distances, and that distance in mm (None for a single slice).

    Distances that vary by up to 10 % count as equal. Where one slice is missing it is filled by
    linear interpolation; slices at changing distances are interpolated onto the grid of their
    median distance. Both add the warning ``W_GAP``.
    Raises `InputError` ``E_SERIES`` where more than one slice is missing.
    """
    heights = stack.heights
    if len(heights) < 2:
        return stack, None
    steps = np.diff(heights)
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    ratios = steps / usual
    if (np.abs(ratios - 1) <= _EVEN).all():
        return stack, float(steps.mean())
    missing = _missing(ratios)
    if missing > 1 or ratios.max() > _WIDEST:
        raise InputError(
            "E_SERIES",
            f"{max(missing, 2)} or more slices are missing between {len(heights)}",
            fix="copy the series again from its source",
        )
    regular = np.abs(ratios - 1) <= _EVEN
    if missing and regular.sum() == len(ratios) - 1:
        return _filled(stack, int(np.argmax(ratios)))
    return _regridded(stack, usual)


def _missing(ratios: Array) -> int:
    """How many slices are missing, a change to a wider spacing not counted."""
    wide = ratios >= _HOLE
    for start in range(len(ratios) - _RUN + 1):
        run = slice(start, start + _RUN)
        if (ratios[run] >= _HOLE).all() and np.ptp(ratios[run]) <= _EVEN * ratios[start]:
            wide[run] = False
    return int(np.rint(ratios[wide] - 1).sum())


def _filled(stack: Stack, before: int) -> tuple[Stack, float]:
    """One slice put in after slice `before`."""
    heights = stack.heights
    filled = np.insert(heights, before + 1, heights[before : before + 2].mean())
    done = "1 missing slice filled by linear interpolation"
    step = float((heights[-1] - heights[0]) / len(heights))
    return _interpolated(stack, filled).noted(done, warnings=("W_GAP",)), step


def _regridded(stack: Stack, step: float) -> tuple[Stack, float]:
    heights = stack.heights
    count = int((heights[-1] - heights[0]) / step + 1e-3) + 1
    wanted = heights[0] + step * np.arange(count)
    done = f"{len(heights)} slices at uneven distances interpolated to {count}, {step:.4g} mm apart"
    return _interpolated(stack, wanted).noted(done, warnings=("W_GAP",)), step


def _interpolated(stack: Stack, wanted: Array) -> Stack:
    """The stack at the heights `wanted`, linear between the two slices about each."""
    heights = stack.heights
    lower = np.clip(np.searchsorted(heights, wanted, side="right") - 1, 0, len(heights) - 2)
    part = np.clip((wanted - heights[lower]) / (heights[lower + 1] - heights[lower]), 0, 1)
    values = np.empty((len(wanted), *stack.values.shape[1:]), np.float32)
    valid = None if stack.valid is None else np.empty(values.shape, bool)
    for k, (low, share) in enumerate(zip(lower, part.astype(np.float32), strict=True)):
        values[k] = stack.values[low] * (1 - share) + stack.values[low + 1] * share
        if valid is not None and stack.valid is not None:
            valid[k] = (stack.valid[low] | (share == 1)) & (stack.valid[low + 1] | (share == 0))
    offset = (wanted - heights[0])[:, None] * stack.normal
    return replace(stack, values=values, valid=valid, positions=stack.positions[0] + offset)
