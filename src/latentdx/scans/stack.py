"""`Stack`: parallel slices with their places, put in order and onto one straight grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError

Array = NDArray[np.float64]

_SAME_PLACE = 0.01  # of the usual distance of neighbours
_STRAIGHT = 0.5  # pixels that slices may drift along their planes, first to last
_DIGITS = 6  # of a drift in pixels: what is less is the rounding of decimal strings


@dataclass(frozen=True)
class Stack:
    """Slices of one orientation; lengths in mm, axes LPS.

    Attributes
    ----------
    values: (N, H, W) in the scanner's units.
    valid: bool (N, H, W), or None where nothing is padding.
    positions: (N, 3), of the first pixel's centre.
    rows, columns: unit vectors (3,) along which the column and the row index run.
    spacing_mm: (row, column) within a slice.
    done, warnings: what was done to them, and codes.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_] | None
    positions: Array
    rows: Array
    columns: Array
    spacing_mm: tuple[float, float]
    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def normal(self) -> Array:
        """Unit vector across the slices: right-handed, as in DICOM's own three axes."""
        return np.cross(self.rows, self.columns)

    @property
    def heights(self) -> Array:
        """(N,) place of each slice along `normal`."""
        return self.positions @ self.normal

    def noted(self, *done: str, warnings: tuple[str, ...] = ()) -> Stack:
        """The same stack with more on its record."""
        return replace(self, done=(*self.done, *done), warnings=(*self.warnings, *warnings))

    def taken(self, index: NDArray[np.intp]) -> Stack:
        """Some of the slices, in the order of `index`."""
        if np.array_equal(index, np.arange(len(self.values))):
            return self
        return replace(
            self,
            values=self.values[index],
            valid=None if self.valid is None else self.valid[index],
            positions=self.positions[index],
        )


def sorted_by(heights: Array) -> tuple[NDArray[np.intp], str]:
    """The order of slices along their normal, and what was done."""
    order = np.argsort(heights, kind="stable")
    count = len(order)
    text = f"{count} slices sorted by position"
    if count > 1 and np.array_equal(order, np.arange(count)[::-1]):
        text += " (they came in reverse order)"
    return order, text


def without_copies(stack: Stack) -> Stack:
    """One slice a place; `stack` is in order.

    Raises `InputError` ``E_SERIES`` where slices of one place differ (echoes, points in time).
    """
    steps = np.diff(stack.heights)
    apart = steps[steps > 1e-6]
    usual = float(np.median(apart)) if len(apart) else 1.0
    group = np.concatenate([[0], np.cumsum(steps > _SAME_PLACE * usual)])
    firsts = np.searchsorted(group, np.arange(group[-1] + 1))
    copies = len(group) - len(firsts)
    if not copies:
        return stack
    unlike = {int(g) for k, g in enumerate(group) if not _same(stack, k, int(firsts[g]))}
    if unlike:
        raise InputError(
            "E_SERIES",
            f"{len(unlike)} of {len(firsts)} places have several slices that differ",
            fix="give the slices of one echo, phase or point in time only",
        )
    return stack.taken(firsts).noted(f"{copies} copies of slices dropped")


def _same(stack: Stack, first: int, second: int) -> bool:
    return np.array_equal(stack.values[first], stack.values[second])


def straightened(stack: Stack) -> Stack:
    """Slices that drift along their planes (gantry tilt) shifted onto a grid at right angles.

    Each slice is moved by linear interpolation within its plane, which leaves its thickness alone;
    the grid grows to hold them all, and what no slice covers is marked as padding. Drift of less
    than half a pixel stays. Adds the warning ``W_TILT``.
    Raises `InputError` ``E_SERIES`` for slices that lie beside each other.
    """
    moved = stack.positions - stack.positions[0]
    # (N, 2): by how many pixels each slice is further down and to the right than the first.
    drift = moved @ np.stack([stack.columns, stack.rows], axis=1) / stack.spacing_mm
    drift = np.round(drift, _DIGITS)
    extent = np.ptp(drift, axis=0)
    if not extent.max() > _STRAIGHT:
        return stack
    if (extent > stack.values.shape[1:]).any():
        raise InputError(
            "E_SERIES",
            "slices lie beside each other, not behind each other",
            fix="give the slices of one stack only",
        )
    corner = np.floor(drift.min(axis=0))
    values, valid = _shifted(stack, drift - corner)
    down, right = corner * stack.spacing_mm
    start = stack.positions[0] + down * stack.columns + right * stack.rows
    along = (stack.heights - stack.heights[0])[:, None] * stack.normal
    text = f"tilt of {_tilt(stack):.3g} degrees: slices shifted along their planes to right angles"
    return replace(stack, values=values, valid=valid, positions=start + along).noted(
        text, warnings=("W_TILT",)
    )


def _tilt(stack: Stack) -> float:
    """Angle between the normal and the way from the first to the last slice, degrees."""
    way = stack.positions[-1] - stack.positions[0]
    up = abs(float(way @ stack.normal))
    return math.degrees(math.atan2(math.sqrt(max(0.0, float(way @ way) - up * up)), up))


def _shifted(stack: Stack, drift: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Every slice (down, right) pixels further on in a canvas that holds them all."""
    grown = np.ceil(drift.max(axis=0)).astype(int) + stack.values.shape[1:]
    shape = (int(grown[0]), int(grown[1]))
    valid = np.ones(stack.values.shape, bool) if stack.valid is None else stack.valid
    lowest = stack.values[valid].min() if valid.any() else stack.values.min()
    moved = np.empty((len(drift), *shape), np.float32)
    known = np.empty(moved.shape, bool)
    for k, (down, right) in enumerate(drift):
        covered = _shift(valid[k].astype(np.float32), down, right, shape, 0.0)
        known[k] = covered > 1 - 1e-3
        filled = np.where(valid[k], stack.values[k], lowest)
        moved[k] = _shift(filled, down, right, shape, float(lowest))
    return moved, known


def _shift(
    image: NDArray[Any], down: float, right: float, shape: tuple[int, int], fill: float
) -> NDArray[np.float32]:
    """(H, W) in a larger canvas, its first pixel at (down, right) pixels."""
    canvas = np.full(shape, fill, np.float32)
    top, left = int(down), int(right)
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    for axis, part in enumerate((down - top, right - left)):
        # Between two pixels the last row or column is free: `fill` is rolled over the edge.
        if part:
            moved = np.roll(canvas, 1, axis)
            canvas = canvas * np.float32(1 - part) + moved * np.float32(part)
    return canvas
