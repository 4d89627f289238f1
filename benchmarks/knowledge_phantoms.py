"""Phantoms of axial CT in HU and of MR, drawn so that each preset has something to help with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from latentdx.scans.volume import Volume

SIDE = 96
Slice = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """One patient: a slice as a volume of one, and whether it shows the disease."""

    volume: Volume
    label: int


def ct_chest(number: int) -> Drawn:
    """A chest at its own place and size, with a table. The disease is one of three faint things.

    In the lung (a nodule that a soft-tissue window clips to black), in the mediastinum (a node that
    the lung and bone windows show as even grey) or in the spine (a hole that a soft-tissue window
    clips to white). All have vessels.
    """
    rng = np.random.default_rng([7, number])
    label, kind = number % 2, (number // 2) % 3
    image = np.full((SIDE, SIDE), -1000.0)
    size = rng.uniform(0.55, 0.95) / 2 * SIDE
    middle = np.array([SIDE / 2 + rng.uniform(-6, 6), SIDE / 2 + rng.uniform(-6, 6)])
    image[_ellipse(middle, (0.78 * size, size))] = -100 + rng.uniform(-10, 10)
    image[_ellipse(middle, (0.70 * size, 0.92 * size))] = 50 + rng.uniform(-10, 10)
    for side in (-1, 1):
        lung = _ellipse(_moved(middle, -0.05 * size, side * 0.46 * size), (0.5 * size, 0.3 * size))
        image[lung] = -850 + rng.uniform(-40, 40)
    for _ in range(14):
        across = rng.choice((-1, 1)) * rng.uniform(0.3, 0.6) * size
        place = _moved(middle, rng.uniform(-0.4, 0.4) * size, across)
        image[_ellipse(place, (0.035 * size, 0.035 * size))] = rng.uniform(-200, 50)
    spine = _moved(middle, 0.42 * size, 0.0)
    image[_ellipse(spine, (0.14 * size, 0.14 * size))] = 600 + rng.uniform(-60, 60)
    if label:
        if kind == 0:
            place = _moved(middle, rng.uniform(-0.3, 0.2) * size, rng.choice((-1, 1)) * 0.46 * size)
            image[_ellipse(place, (0.16 * size, 0.16 * size))] += 350
        elif kind == 1:
            place = _moved(middle, rng.uniform(-0.35, 0.1) * size, rng.uniform(-0.05, 0.05) * size)
            image[_ellipse(place, (0.15 * size, 0.12 * size))] += 90
        else:
            image[_ellipse(spine + rng.uniform(-1, 1, 2), (0.1 * size, 0.1 * size))] -= 400
    table = int(min(SIDE - 3, middle[0] + 0.82 * size))
    image[table : table + 2, 8:-8] = rng.uniform(0, 300)
    image = ndimage.gaussian_filter(image, 0.7) + rng.normal(0, rng.uniform(12, 28), image.shape)
    return Drawn(_volume(image), label)


def mr_brain(number: int) -> Drawn:
    """A head at its own place, gain and bias field; the disease is a spot brighter by two fifths.

    Fat of any brightness lies in the scalp, and a bright vessel in every second head, so that the
    percentiles of two scans mean different tissues.
    """
    rng = np.random.default_rng([8, number])
    label = number % 2
    size = rng.uniform(0.6, 0.95) / 2 * SIDE
    middle = np.array([SIDE / 2 + rng.uniform(-5, 5), SIDE / 2 + rng.uniform(-5, 5)])
    image = np.zeros((SIDE, SIDE))
    image[_ellipse(middle, (size, 0.82 * size))] = rng.uniform(0.8, 2.2)
    image[_ellipse(middle, (0.92 * size, 0.74 * size))] = 0.1
    image[_ellipse(middle, (0.86 * size, 0.68 * size))] = 0.75
    texture = ndimage.gaussian_filter(rng.normal(0, 1, image.shape), 2.5)
    brain = _ellipse(middle, (0.84 * size, 0.66 * size))
    image[brain] = 0.7 + 0.12 * np.sign(texture[brain]) * np.abs(texture[brain] * 4).clip(0, 1)
    for side in (-1, 1):
        image[_ellipse(_moved(middle, 0, side * 0.12 * size), (0.28 * size, 0.07 * size))] = 0.25
    if rng.random() < 0.5:
        place = middle + rng.uniform(-0.4, 0.4, 2) * size
        image[_ellipse(place, (1.6, 1.6))] = rng.uniform(2, 3.5)
    if label:
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.32, 0.5) * size
        place = middle + far * np.array([np.sin(turn), np.cos(turn)])
        image[_ellipse(place, (0.16 * size, 0.16 * size))] += 0.3
    down, across = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    slope = rng.normal(0, 0.7, 2)
    image *= np.exp(slope[0] * down + slope[1] * across + rng.normal(0, 0.8) * down * across)
    image = ndimage.gaussian_filter(image, 0.6) * rng.uniform(200, 900)
    noise = rng.normal(0, 0.02 * image.max(), (2, *image.shape))
    return Drawn(_volume(np.hypot(image + noise[0], noise[1])), label)


def _moved(middle: NDArray[np.float64], down: float, across: float) -> NDArray[np.float64]:
    return middle + np.array([down, across])


def _ellipse(middle: NDArray[np.float64], radii: tuple[float, float]) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return ((rows - middle[0]) / radii[0]) ** 2 + ((columns - middle[1]) / radii[1]) ** 2 < 1


def _volume(image: Slice) -> Volume:
    """As one axial slice of a volume in RAS+, so that `scans_of` shows it upright again."""
    turned = image.T[::-1, ::-1, None].astype(np.float32)
    return Volume(np.ascontiguousarray(turned), np.diag([1.0, 1.0, 5.0, 1.0]))
