"""The drawing board of the phantoms: a grid in millimetres, soft edges, and smooth noise.

Edges are algebraic, not exponential: additions, divisions and square roots round alike everywhere.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]

HALF_MM = 240.0
"""The board reaches this far from the middle of the chest to every side."""


@dataclass(frozen=True)
class Grid:
    """A square board: `x` (1, N) grows to the patient's left, `y` (N, 1) to the feet, in mm."""

    spacing_mm: float

    @property
    def n(self) -> int:
        """Pixels a side."""
        return round(2 * HALF_MM / self.spacing_mm)

    @property
    def x(self) -> Image:
        """(1, N) millimetres from the midline."""
        return self._axis()[None, :]

    @property
    def y(self) -> Image:
        """(N, 1) millimetres below the middle of the chest."""
        return self._axis()[:, None]

    def _axis(self) -> Image:
        middle = (self.n - 1) / 2
        return ((np.arange(self.n) - middle) * self.spacing_mm).astype(np.float32)


def step(distance: Image, width: float) -> Image:
    """From 0 (far below zero) to 1 (far above), `width` mm soft."""
    scaled = distance * np.float32(1 / width)
    found: Image = np.float32(0.5) * (scaled / np.sqrt(1 + scaled * scaled) + 1)
    return found


def bump(distance: Image, width: float) -> Image:
    """1 at zero, about a quarter at `width`, soon nothing beyond."""
    scaled = distance * np.float32(1 / width)
    found: Image = 1 / (1 + scaled * scaled) ** 2
    return found


def radius(
    grid: Grid, center: tuple[float, float], radii: tuple[float, float], *, tilt: float = 0.0
) -> Image:
    """(N, N) distance from an ellipse's centre in units of its radii: 1 on the outline.

    `tilt` is the tangent of the angle by which the ellipse leans.
    """
    u = grid.x - np.float32(center[0])
    v = grid.y - np.float32(center[1])
    norm = (1 + tilt * tilt) ** 0.5
    along = (u + np.float32(tilt) * v) * np.float32(1 / (norm * radii[0]))
    across = (v - np.float32(tilt) * u) * np.float32(1 / (norm * radii[1]))
    return np.sqrt(along * along + across * across)


def disc(
    grid: Grid, center: tuple[float, float], radii: tuple[float, float], *, soft: float = 0.1
) -> Image:
    """(N, N) a filled ellipse, `soft` in units of its radius."""
    return step(1 - radius(grid, center, radii), soft)


def noise(grid: Grid, rng: np.random.Generator, cell_mm: float) -> Image:
    """(N, N) smooth noise of variance near 1 whose hills are about `cell_mm` wide."""
    weights = _spline(grid.n, cell_mm / grid.spacing_mm)
    knots = rng.standard_normal((weights.shape[1],) * 2, np.float32)
    return weights @ knots @ weights.T


def ridges(values: Image, width: float = 0.45) -> Image:
    """Thin bright lines where noise crosses zero: 0..1."""
    return np.clip(1 - np.abs(values) * np.float32(1 / width), 0, 1)


@functools.lru_cache(maxsize=64)
def _spline(n: int, cell: float) -> Image:
    """(n, knots) cubic B-spline weights, scaled so that noise of unit knots has unit variance."""
    n_knots = int(n / cell) + 4
    at = np.arange(n)[:, None] / cell + 1 - np.arange(n_knots)[None, :]
    far = np.abs(at)
    near = 2 / 3 - far**2 + far**3 / 2
    weights = np.where(far < 1, near, np.clip(2 - far, 0, None) ** 3 / 6)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return weights.astype(np.float32)
