"""What looks like disease and is none: scars, nipples, wires, electrodes, folds of skin.

Drawn for healthy and diseased patients alike, so that a bright dot or an odd line says nothing.
"""

from __future__ import annotations

import numpy as np

from latentdx.collection.phantom_anatomy import Chest
from latentdx.collection.phantom_canvas import Grid, Image, bump, disc, step
from latentdx.collection.phantom_patient import PhantomPatient


def draw_distractors(
    patient: PhantomPatient, chest: Chest, *, grid: Grid, rng: np.random.Generator
) -> Image:
    """(N, N) attenuation to add to the chest."""
    found = np.zeros((grid.n, grid.n), np.float32)
    for draw, share in (
        (_scars, 0.45),
        (_nipples, 0.35),
        (_wires, 0.3),
        (_electrodes, 0.2),
        (_fold, 0.2),
        (_band, 0.25),
        (_pacemaker, 0.05 if patient.age > 55 else 0.0),
    ):
        if rng.random() < share:
            found += draw(chest, grid, rng)
    return found


def _scars(chest: Chest, grid: Grid, rng: np.random.Generator) -> Image:
    """Calcified granulomas: small, dense, sharp."""
    found = np.zeros((grid.n, grid.n), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        size = rng.uniform(3, 5.5)
        middle = (rng.uniform(-110, 110), rng.uniform(chest.body.apex + 20, chest.body.base))
        found += np.float32(rng.uniform(0.16, 0.34)) * disc(grid, middle, (size, size), soft=0.3)
    return found * (0.2 + 0.8 * chest.lungs)


def _nipples(chest: Chest, grid: Grid, rng: np.random.Generator) -> Image:
    far, height = chest.body.cage * rng.uniform(0.5, 0.72), chest.body.base - rng.uniform(8, 40)
    size = rng.uniform(5, 8)
    pair = [
        disc(grid, (side * far, height + rng.normal(0, 5)), (size, size), soft=0.25)
        for side in (-1, 1)
    ]
    return np.float32(rng.uniform(0.06, 0.13)) * (pair[0] + pair[1])


def _wires(chest: Chest, grid: Grid, rng: np.random.Generator) -> Image:
    """Leads and lines that cross the chest in a bow."""
    found = np.zeros((grid.n, grid.n), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        slope, bow = rng.normal(0, 0.8), rng.normal(0, 0.004)
        line = rng.uniform(-80, 80) + slope * grid.x + bow * grid.x**2
        steep = np.sqrt(1 + (slope + 2 * bow * grid.x) ** 2)
        band = bump((grid.y - line) / steep, 2.2) * step(grid.y - rng.uniform(-200, -60), 4)
        found += np.float32(rng.uniform(0.12, 0.28)) * band.astype(np.float32)
    return found


def _electrodes(chest: Chest, grid: Grid, rng: np.random.Generator) -> Image:
    found = np.zeros((grid.n, grid.n), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        middle = (rng.uniform(-120, 120), rng.uniform(chest.body.apex, chest.body.base + 20))
        rim = disc(grid, middle, (8.5, 8.5), soft=0.12) - 0.5 * disc(grid, middle, (5, 5), soft=0.2)
        found += np.float32(rng.uniform(0.16, 0.26)) * rim
    return found


def _fold(chest: Chest, grid: Grid, rng: np.random.Generator) -> Image:
    """A fold of skin or a sheet: an edge on one side, fading on the other."""
    slope, place = rng.normal(0, 0.35), rng.uniform(-115, 115)
    off = grid.x - np.float32(place) - np.float32(slope) * grid.y
    fade = step(off, 1.5) / (1 + np.clip(off, 0, None) / 14) ** 2
    return np.float32(rng.uniform(0.05, 0.11)) * fade


def _band(chest: Chest, grid: Grid, rng: np.random.Generator) -> Image:
    """A plate of collapsed lung or a scar, flat above the diaphragm."""
    side = 1 if rng.random() < 0.5 else -1
    slope = rng.normal(0, 0.2)
    off = grid.y - (chest.body.base - rng.uniform(5, 50)) - slope * grid.x
    length = bump(grid.x - side * rng.uniform(55, 95), rng.uniform(26, 44))
    band: Image = bump(off.astype(np.float32), rng.uniform(2.5, 5)) * length.astype(np.float32)
    return np.float32(rng.uniform(0.09, 0.18)) * band * chest.lungs


def _pacemaker(chest: Chest, grid: Grid, rng: np.random.Generator) -> Image:
    middle = (rng.uniform(80, 110), chest.body.apex + rng.uniform(20, 50))
    return np.float32(0.4) * disc(grid, middle, (23, 19), soft=0.06)
