"""Scans as small stretched pictures, and their detail apart from brightness and contrast."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

LARGEST = 64
"""The longest side of a picture; larger scans are reduced by area means."""

_FLOOR, _LEAST = 0.3, 0.02


def comparable(pixels: Pixels, native_shape: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 (N, P, W, W) of `pixels` (N, C, *spatial), each plane from its darkest to brightest.

    `native_shape` is (N, 2), rows and columns before padding (0 where not known): the padding of
    `fit_square` is cut off. P is 1, of volumes 3: the mean of the middle quarter across each axis,
    planes of the axes (0, 1), (0, 2), (1, 2). W is the scans' side, 64 at most. A plane of one
    level is all 0.

    Examples
    --------
    >>> comparable(np.eye(8, dtype=np.float32)[None, None], np.zeros((1, 2))).shape
    (1, 1, 8, 8)
    """
    side = min(LARGEST, pixels.shape[-1])
    grey = pixels.mean(axis=1)
    if grey.ndim == 4:
        planes = np.stack([_slab(grey, axis) for axis in (3, 2, 1)], axis=1)
        return _stretched(reduced(planes, side))
    found = np.empty((len(grey), 1, side, side), np.float32)
    boxes, which = np.unique(_boxes(native_shape, grey.shape[1]), axis=0, return_inverse=True)
    for number, (top, left, height, width) in enumerate(boxes.tolist()):
        own = which.ravel() == number
        found[own, 0] = reduced(grey[own, top : top + height, left : left + width], side)
    return _stretched(found)


def plane_axes(n_planes: int) -> list[tuple[int, int]]:
    """The scan's axes along rows and columns of each plane."""
    return [(0, 1)] if n_planes == 1 else list(combinations(range(3), 2))


def flipped(planes: Pixels, flip: int) -> Pixels:
    """Planes (N, P, W, W) of scans mirrored along each axis whose bit is set in `flip`.

    Examples
    --------
    >>> flipped(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2), 2).tolist()
    [[[[1.0, 0.0], [3.0, 2.0]]]]
    """
    turned = []
    for number, axes in enumerate(plane_axes(planes.shape[1])):
        steps = [-1 if flip >> axis & 1 else 1 for axis in axes]
        turned.append(planes[:, number, :: steps[0], :: steps[1]])
    return np.stack(turned, axis=1)


def detail(pictures: Pixels, fine: float, coarse: float) -> Pixels:
    """Pictures (..., W, W) blurred by `fine` less those blurred by `coarse`, of even strength.

    Divided by the local strength (after Jarrett et al., ICCV 2009), so that neither brightness,
    contrast nor gamma counts; where there is little to see it stays little.
    """
    band = blurred(pictures, fine) - blurred(pictures, coarse)
    usual = band.std(axis=(-2, -1), keepdims=True)
    strength = blurred(band * band, coarse) + (_FLOOR * usual) ** 2 + _LEAST**2
    even: Pixels = (band / np.sqrt(strength)).astype(np.float32, copy=False)
    return even


def blurred(pictures: Pixels, width: float) -> Pixels:
    """Convolved with a Gaussian of `width` pixels (standard deviation), cut at the border."""
    kernel = _gaussian(pictures.shape[-1], width)
    smooth: Pixels = np.asarray(kernel @ pictures @ kernel.T, np.float32)
    return smooth


def _slab(grey: Pixels, axis: int) -> Pixels:
    side = grey.shape[axis]
    margin = 3 * side // 8
    slab: Pixels = np.asarray(grey.take(range(margin, side - margin), axis).mean(axis), np.float32)
    return slab


def _stretched(planes: Pixels) -> NDArray[np.uint8]:
    low = planes.min(axis=(-2, -1), keepdims=True)
    reach = planes.max(axis=(-2, -1), keepdims=True) - low
    scale = np.where(reach > 1e-3, 255 / np.maximum(reach, 1e-3), 0)
    stretched: NDArray[np.uint8] = np.rint((planes - low) * scale).astype(np.uint8)
    return stretched


def _boxes(native_shape: NDArray[Any], size: int) -> NDArray[np.int64]:
    """(N, 4): where the picture lies in its square: top, left, height, width."""
    native = np.asarray(native_shape, np.float64)[:, :2]
    known = (native > 0).all(axis=1, keepdims=True)
    longest = np.maximum(1, native.max(axis=1, keepdims=True))
    inner = np.where(known, np.maximum(1, np.rint(native * (size / longest))), size)
    inner = inner.astype(np.int64)
    return np.concatenate([(size - inner) // 2, inner], axis=1)


def reduced(pictures: Pixels, side: int) -> Pixels:
    """Pictures (..., H, W) as (..., side, side), each value the mean of an area."""
    if pictures.shape[-2:] == (side, side):
        return pictures
    rows, columns = (_overlaps(length, side) for length in pictures.shape[-2:])
    smaller: Pixels = np.asarray(rows @ pictures @ columns.T, np.float32)
    return smaller


@lru_cache(maxsize=256)
def _overlaps(length: int, side: int) -> Pixels:
    """(side, length): the share of each pixel in each of `side` equal stretches."""
    edges = np.linspace(0, length, side + 1)
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    shares: Pixels = (overlap.clip(0) * (side / length)).astype(np.float32)
    return shares


@lru_cache(maxsize=64)
def _gaussian(side: int, width: float) -> Pixels:
    place = np.arange(side)
    kernel = np.exp(-0.5 * ((place[:, None] - place) / width) ** 2)
    rows: Pixels = np.asarray(kernel / kernel.sum(axis=1, keepdims=True), np.float32)
    return rows
