"""Disease: nodules, consolidation, a reticular pattern, effusion; each with where it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentdx.collection.phantom_anatomy import Chest
from latentdx.collection.phantom_canvas import (
    HALF_MM,
    Grid,
    Image,
    disc,
    noise,
    radius,
    ridges,
    step,
)
from latentdx.collection.phantom_patient import LesionKind


@dataclass(frozen=True)
class Lesion:
    """`added` (N, N) attenuation to add to the chest, `extent` (N, N) 0..1 where it lies."""

    added: Image
    extent: Image


def draw_lesion(kind: LesionKind, chest: Chest, *, grid: Grid, rng: np.random.Generator) -> Lesion:
    """One patient's disease, inside the lungs of `chest`."""
    return _DRAW[kind](chest, grid, rng)


def _nodule(chest: Chest, grid: Grid, rng: np.random.Generator) -> Lesion:
    """Two to five round, well-defined balls."""
    extent = np.zeros((grid.n, grid.n), np.float32)
    for _ in range(int(rng.integers(2, 6))):
        size = rng.uniform(10, 20)
        radii = (size * rng.uniform(0.85, 1.15), size * rng.uniform(0.85, 1.15))
        middle = _place(chest, grid, rng, margin=0.9)
        edge = 1 - radius(grid, middle, radii) + 0.1 * noise(grid, rng, 9)
        extent = np.maximum(extent, step(edge, 0.12))
    return Lesion(np.float32(rng.uniform(0.14, 0.22)) * extent, extent)


def _consolidation(chest: Chest, grid: Grid, rng: np.random.Generator) -> Lesion:
    """A fluffy cloud whose air spaces are filled, unevenly."""
    size = rng.uniform(32, 66)
    middle = _place(chest, grid, rng, margin=0.8, below=-10)
    edge = 1 - radius(grid, middle, (size, size * rng.uniform(0.7, 1.2)))
    extent = step(edge + 0.38 * noise(grid, rng, 17), 0.22) * chest.lungs
    clouds = np.clip(0.85 + 0.4 * noise(grid, rng, 12), 0, 1.8)
    return Lesion(np.float32(rng.uniform(0.16, 0.28)) * extent * clouds, extent)


def _reticular(chest: Chest, grid: Grid, rng: np.random.Generator) -> Lesion:
    """A net of fine lines in both bases: texture, hardly any brightness."""
    extent = np.zeros((grid.n, grid.n), np.float32)
    for side in (-1, 1):
        middle = (side * rng.normal(75, 12), chest.body.base - rng.uniform(10, 45))
        extent += disc(grid, middle, (rng.uniform(46, 70), rng.uniform(50, 85)), soft=0.2)
    extent = np.minimum(extent, 1) * chest.lungs
    net = np.maximum(ridges(noise(grid, rng, 15), 0.5), ridges(noise(grid, rng, 15), 0.5))
    net -= net.mean()
    haze = np.float32(rng.uniform(0.05, 0.09))
    return Lesion((np.float32(rng.uniform(0.1, 0.17)) * net + haze) * extent, extent)


def _effusion(chest: Chest, grid: Grid, rng: np.random.Generator) -> Lesion:
    """Fluid in one or both costophrenic angles, its surface rising to the wall."""
    extent = np.zeros((grid.n, grid.n), np.float32)
    first = 1 if rng.random() < 0.5 else -1
    for side in (first, -first) if rng.random() < 0.5 else (first,):
        outward = np.clip(side * grid.x / chest.body.cage, 0, 1.1)
        level = chest.body.base + rng.uniform(-22, 8) - rng.uniform(16, 72) * outward**2
        fluid = step((grid.y - level).astype(np.float32), 11)
        extent += fluid * step((side * grid.x).astype(np.float32), 4)
    extent = np.minimum(extent, 1) * chest.lungs
    return Lesion(np.float32(rng.uniform(0.24, 0.34)) * extent, extent)


_DRAW: dict[LesionKind, Callable[[Chest, Grid, np.random.Generator], Lesion]] = {
    "nodule": _nodule,
    "consolidation": _consolidation,
    "reticular": _reticular,
    "effusion": _effusion,
}


def _place(
    chest: Chest, grid: Grid, rng: np.random.Generator, *, margin: float, below: float = -HALF_MM
) -> tuple[float, float]:
    """A point of the lungs and lower than `below`, in mm."""
    rows, columns = np.nonzero((chest.lungs > margin) & (grid.y > below))
    pick: Any = rng.integers(len(rows))
    return float(grid.x[0, columns[pick]]), float(grid.y[rows[pick], 0])
