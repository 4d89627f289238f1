"""A chest without disease: outline, lungs, heart, bones, vessels, each patient's own.

Values are attenuation as a radiograph shows it: 0 is air, lungs about 0.25, soft tissue 0.55,
bone and mediastinum up to 0.9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from latentdx.collection.phantom_canvas import Grid, Image, bump, disc, noise, radius, ridges, step
from latentdx.collection.phantom_patient import PhantomPatient


@dataclass(frozen=True)
class Body:
    """A patient's proportions, in mm unless said otherwise."""

    cage: float
    apex: float
    base: float
    mediastinum: float
    heart: tuple[float, float]
    torso: float
    rib_gap: float
    rib_slope: float
    rib_phase: float
    vessels: float
    lung: float


@dataclass(frozen=True)
class Chest:
    """A drawn chest: `image` (N, N) attenuation, `lungs` (N, N) 0..1, and the body it was."""

    image: Image
    lungs: Image
    body: Body


def draw_chest(patient: PhantomPatient, grid: Grid, *, rng: np.random.Generator) -> Chest:
    """One healthy chest on the grid."""
    body = _body(patient, rng)
    outline = _outline(body, grid)
    lungs = _lungs(body, grid, rng)
    bones = _bones(body, grid, rng)
    image = outline * (_soft_tissue(body, grid, rng) + _middle(body, grid, rng))
    image += _breasts(patient, body, grid, rng) * outline
    image -= lungs * (image * np.float32(body.lung))
    image += lungs * _vessels(body, grid, rng)
    image += bones * outline
    image -= _gas(body, grid, rng) * (1 - lungs) * outline
    return Chest(image, lungs, body)


def _body(patient: PhantomPatient, rng: np.random.Generator) -> Body:
    small = 0.95 if patient.sex == "F" else 1.0
    width, height = small * rng.normal(1, 0.045), small * rng.normal(1, 0.045)
    projected = 1.12 if patient.view == "AP" else 1.0
    return Body(
        cage=146 * width,
        apex=-146 * height,
        base=92 * height + rng.normal(0, 7),
        mediastinum=max(17.0, rng.normal(23, 3.5) * projected),
        heart=(rng.normal(66, 8) * projected * width, rng.normal(58, 6) * projected * height),
        torso=146 * width + rng.gamma(4, 5) + 6,
        rib_gap=rng.normal(25, 1.6) * height,
        rib_slope=rng.normal(1, 0.25),
        rib_phase=rng.random(),
        vessels=0.08 * 2 ** rng.normal(0, 0.6),
        lung=min(0.66, rng.normal(0.56, 0.03)),
    )


def _outline(body: Body, grid: Grid) -> Image:
    """Torso, shoulders and neck against air."""
    y = grid.y
    half = 62 + (body.torso - 62) * step(y - np.float32(body.apex - 18), 9)
    half += 85 * bump(y - np.float32(body.apex + 4), 42) + 0.05 * (y + 100)
    return step(half - np.abs(grid.x), 3)


def _lungs(body: Body, grid: Grid, rng: np.random.Generator) -> Image:
    """(N, N) both lung fields: cage outside, mediastinum inside, diaphragm below."""
    x, y = grid.x, grid.y
    far = np.abs(x)
    depth = np.clip((y - body.apex) / (body.base - body.apex), 0, 1)
    side = body.cage * np.sqrt(1 - 0.84 * (1 - depth) ** 2) - 7 * depth**4
    dome = np.where(x < 0, rng.normal(0, 5), rng.normal(10, 5))
    arch = rng.normal(34, 6) * ((far - 0.5 * body.cage) / (0.5 * body.cage)) ** 2
    top = body.apex + 0.011 * (far - 0.42 * body.cage) ** 2
    inside = step(side - far, 2.2) * step(y - top.astype(np.float32), 3)
    inside *= step(far - np.float32(body.mediastinum), 3.5)
    inside *= step((body.base + dome + arch - y).astype(np.float32), 2.2)
    found: Image = inside * (1 - np.float32(0.8) * _heart(body, grid))
    return found.astype(np.float32)


def _heart(body: Body, grid: Grid) -> Image:
    wide, tall = body.heart
    away = radius(grid, (0.38 * wide, body.base - 0.52 * tall), body.heart, tilt=0.5)
    # Great vessels above, diaphragm below: a shoulder to both, no ball.
    root = radius(grid, (0.1 * wide, body.base - 1.3 * tall), (0.62 * wide, 1.1 * tall))
    return np.maximum(step(1 - away, 0.07), step(1 - root, 0.09))


def _soft_tissue(body: Body, grid: Grid, rng: np.random.Generator) -> Image:
    """Chest wall and abdomen, with the mottle of fat and muscle."""
    base = 0.55 + 0.13 * step(grid.y - np.float32(body.base), 14)
    flank = 0.07 * bump(np.abs(grid.x) - np.float32(body.cage + 6), 16)
    mottle = 0.012 * noise(grid, rng, 12) + 0.022 * noise(grid, rng, 34)
    tilt = rng.normal(0, 0.00022, 2).astype(np.float32)
    found: Image = base + flank + mottle + tilt[0] * grid.x + tilt[1] * grid.y
    return found


def _middle(body: Body, grid: Grid, rng: np.random.Generator) -> Image:
    """Mediastinum, heart, aortic knob, trachea and hila."""
    x, y = grid.x, grid.y
    far, wide = np.abs(x), body.mediastinum
    column = 0.13 * step(wide - far, 5) * step(y - np.float32(body.apex), 20)
    column = column * (0.45 + 0.55 * step(np.float32(body.base + 10) - y, 25))
    heart = 0.13 * _heart(body, grid)
    knob = 0.16 * disc(grid, (wide + 4, body.apex + 68), (15, 17), soft=0.12)
    airway = 0.10 * step(7 - far, 2) * step(body.apex + 95 - y, 6)
    height, size = body.apex + 112 + rng.normal(0, 5, 2), np.exp(rng.normal(0, 0.2, 2))
    hila = sum(
        rng.uniform(0.10, 0.2)
        * bump(x - side * (wide + 13), 13 * size[index])
        * bump(y - np.float32(height[index]), 21 * size[index])
        for index, side in enumerate((-1, 1))
    )
    found: Image = np.maximum(column, heart) + knob - airway + hila
    return found


def _bones(body: Body, grid: Grid, rng: np.random.Generator) -> Image:
    """Ribs (behind and in front), spine, clavicles, shoulder blades."""
    x, y = grid.x, grid.y
    far = np.abs(x)
    behind = y - body.rib_slope * ((far - 0.35 * body.cage) ** 2 * 0.0032)
    front = y + body.rib_slope * 0.62 * far
    strength = rng.uniform(0.7, 1.3)
    within = step(np.float32(body.cage + 3) - far, 2.5) * step(y - np.float32(body.apex - 6), 6)
    within = within * (0.25 + 0.75 * step(np.float32(body.base + 5) - y, 14))
    ribs = 0.062 * _stripes(behind / body.rib_gap + body.rib_phase) * step(far - 16, 4)
    ribs += 0.034 * _stripes(front / body.rib_gap * 0.95) * step(far - 48, 8)
    discs = 0.7 + 0.3 * _stripes(y / 22 + body.rib_phase)
    spine = 0.045 * step(17 - far, 4) * discs
    clavicles = _clavicles(body, grid, rng)
    blades = 0.05 * step(far - 0.80 * body.cage - 0.25 * (y + 60), 4)
    blades *= step(y + 118, 8) * step(10 - y, 10)
    found: Image = strength * (ribs * within + clavicles) + spine + blades
    return found.astype(np.float32)


def _stripes(phase: Image) -> Image:
    """Bones in a row, one each unit of phase, their rims denser than their middles."""
    off = np.abs(phase - np.rint(phase))
    rim = bump(off - np.float32(0.21), 0.07)
    return np.clip((np.float32(0.27) - off) * 12, 0, 1) * (0.65 + 0.6 * rim)


def _clavicles(body: Body, grid: Grid, rng: np.random.Generator) -> Image:
    far = np.abs(grid.x)
    found = np.zeros((grid.n, grid.n), np.float32)
    for is_side in (grid.x < 0, grid.x >= 0):
        slope, bend = rng.normal(0.22, 0.08), rng.normal(0.0016, 0.0006)
        line = body.apex + 28 - slope * far + bend * (far - 70) ** 2
        off = np.abs(grid.y - line)
        band = step(6 - off, 1.2) * (0.7 + 0.5 * bump(off - 5, 2))
        found += is_side * band * step(far - 12, 3) * step(150 - far, 5)
    return np.float32(0.11) * found


def _vessels(body: Body, grid: Grid, rng: np.random.Generator) -> Image:
    """Streaks that leave each hilum and thin out towards the wall, and fine branching."""
    x, y = grid.x, grid.y
    far = np.abs(x) - np.float32(body.mediastinum - 6)
    below = y - np.float32(body.apex + 112)
    distance = np.sqrt(far * far + below * below) + 1
    angle = np.arctan2(below, np.maximum(far, 1)) * np.float32(8.5) + 20
    ring = np.sqrt(distance) * np.float32(1.0)
    angle = angle + np.where(x < 0, np.float32(0), np.float32(48))
    table = rng.standard_normal((96, 24)).astype(np.float32)
    place = np.stack([angle, np.clip(ring, 0, 22)])
    streaks = ridges(ndimage.map_coordinates(table, place, order=1, mode="wrap"), 0.6)
    fine = ridges(noise(grid, rng, 13), 0.4)
    fade = 1 / (1 + (distance * np.float32(1 / 55)) ** 2)
    found: Image = body.vessels * (2.2 * streaks * fade + 0.55 * fine * (0.3 + fade))
    return found


def _breasts(
    patient: PhantomPatient, body: Body, grid: Grid, rng: np.random.Generator
) -> Image | float:
    if patient.sex == "M" and rng.random() < 0.8:
        return 0.0
    size, height = rng.uniform(48, 70), body.base - rng.uniform(15, 45)
    middle = 0.58 * body.cage
    return np.float32(rng.uniform(0.04, 0.1)) * (
        disc(grid, (-middle, height), (size, 0.85 * size), soft=0.05)
        + disc(grid, (middle, height + rng.normal(0, 4)), (size, 0.85 * size), soft=0.05)
    )


def _gas(body: Body, grid: Grid, rng: np.random.Generator) -> Image:
    """The stomach's bubble and some bowel, all below the diaphragm."""
    found = np.zeros((grid.n, grid.n), np.float32)
    n_bubbles = int(rng.integers(0, 4))
    for index in range(n_bubbles):
        place = (60, 58) if index == 0 else (float(rng.uniform(-90, 90)), 85)
        middle = (place[0] + rng.normal(0, 7), body.base + place[1] + rng.normal(0, 12))
        radii = (rng.uniform(14, 34), rng.uniform(9, 18))
        found += np.float32(rng.uniform(0.08, 0.22)) * disc(grid, middle, radii, soft=0.1)
    return found
