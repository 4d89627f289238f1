"""Three sites with scanners of their own: format, sharpness, noise, depth, and how they window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from latentdx.collection.phantom_canvas import Grid, Image


@dataclass(frozen=True)
class Site:
    """A scanner.

    Attributes
    ----------
    format: rows and columns as fractions of the longer side.
    width_mm: of the longer side.
    bits: stored a pixel; always allocated in 16.
    blur: standard deviation in pixels; noise: standard deviation in units of the window.
    gamma: of its display curve.
    window: first and last stored value shown, as fractions of the full range.
    """

    name: str
    modality: Literal["CR", "DX"]
    photometric: Literal["MONOCHROME1", "MONOCHROME2"]
    format: tuple[float, float]
    width_mm: float
    bits: int
    blur: float
    noise: float
    gamma: float
    window: tuple[float, float]

    def shape(self, size: int) -> tuple[int, int]:
        """Rows and columns of a scan whose longer side is `size`."""
        rows, columns = (max(8, round(size * side)) for side in self.format)
        return rows, columns


SITES = (
    Site("A", "CR", "MONOCHROME2", (1.0, 0.84), 430, 12, 0.55, 0.020, 1.0, (0.08, 0.94)),
    Site("B", "DX", "MONOCHROME2", (1.0, 1.0), 430, 16, 0.35, 0.013, 0.9, (0.15, 0.85)),
    Site("C", "CR", "MONOCHROME1", (0.86, 1.0), 430, 10, 0.8, 0.032, 1.1, (0.0, 1.0)),
)


@dataclass(frozen=True)
class Exposure:
    """How a patient stood and how much dose there was, in one scan; everything by chance."""

    matrix: NDArray[np.float64]
    shift_mm: NDArray[np.float64]
    contrast: float
    brightness: float
    gamma: float
    margins: tuple[float, float, float, float]
    marker_at: tuple[float, float]


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """One repositioning and one exposure."""
    angle, zoom, breath = rng.normal(0, 0.022), rng.normal(1, 0.02), rng.normal(1, 0.025)
    turn = np.array([[1, -angle], [angle, 1]]) / np.sqrt(1 + angle * angle)
    collimated = rng.random() < 0.25
    margins = rng.uniform(0, 0.07, 4) * collimated
    return Exposure(
        turn * zoom * np.array([[breath], [1.0]]),
        shift_mm=rng.normal((-8.0, 0.0), (4.5, 4.5)),
        contrast=float(2 ** rng.normal(0, 0.11)),
        brightness=float(rng.normal(0, 0.03)),
        gamma=float(2 ** rng.normal(0, 0.09)),
        margins=(margins[0], margins[1], margins[2], margins[3]),
        marker_at=(float(rng.uniform(0.05, 0.09)), float(rng.uniform(0.06, 0.10))),
    )


def project(board: Image, grid: Grid, *, site: Site, exposure: Exposure, size: int) -> Image:
    """(rows, columns) the board as the detector sees it: moved, cut to its format, blurred."""
    shape = site.shape(size)
    matrix = exposure.matrix * (site.width_mm / size / grid.spacing_mm)
    middle = (np.array(shape) - 1) / 2
    offset = (grid.n - 1) / 2 + exposure.shift_mm / grid.spacing_mm - matrix @ middle
    moved = ndimage.affine_transform(board, matrix, offset, shape, order=1, mode="nearest")
    found: Image = ndimage.gaussian_filter(moved, site.blur, truncate=3.0)
    return found


def develop(
    image: Image, site: Site, *, exposure: Exposure, rng: np.random.Generator, marker: bool
) -> Image:
    """From attenuation to what is shown, 0..1: contrast, curve, noise, collimation, marker."""
    shown = (image - np.float32(0.5)) * np.float32(exposure.contrast)
    shown += np.float32(0.46 + exposure.brightness)
    shown = np.clip(shown, 0, 1) ** np.float32(site.gamma * exposure.gamma)
    grain = rng.standard_normal(image.shape, np.float32)
    shown += np.float32(site.noise) * (np.float32(0.6) + shown) * grain
    rows, columns = image.shape
    top, bottom, left, right = exposure.margins
    inside = np.zeros(image.shape, np.bool_)
    inside[round(top * rows) : rows - round(bottom * rows),
           round(left * columns) : columns - round(right * columns)] = True  # fmt: skip
    shown[~inside] *= np.float32(0.1)
    if marker:
        _burn_marker(shown, exposure)
    found: Image = np.clip(shown, 0, 1).astype(np.float32)
    return found


def _burn_marker(shown: Image, exposure: Exposure) -> None:
    """A leaden letter L in the upper corner at the patient's left."""
    rows, columns = shown.shape
    height = max(4, round(0.075 * max(rows, columns)))
    width, stroke = max(3, round(0.6 * height)), max(1, round(0.22 * height))
    top = round(exposure.marker_at[0] * rows)
    left = columns - round(exposure.marker_at[1] * columns) - width
    shown[top : top + height, left : left + stroke] = 0.9
    shown[top + height - stroke : top + height, left : left + width] = 0.9
