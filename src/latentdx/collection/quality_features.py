"""What kind of picture it is, in 159 numbers: edges, grey levels, texture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.quality_pictures import SIDE, area_means

Pixels = NDArray[np.float32]

_ORIENTATIONS, _CELLS = 8, 4
_LEVELS = (np.arange(12, dtype=np.float32) + 0.5) / 12
_RINGS = (0.5, 1.5, 2.5, 4, 6, 9, 12, 17)
_LEVELS_WEIGHT, _TEXTURE_WEIGHT = 0.5, 0.2  # of equal use beside edges of length 1


def picture_features(pictures: Pixels) -> Pixels:
    """float32 (N, 159) of pictures (N, SIDE, SIDE) in 0..1.

    Edges: strength by place (4 x 4) and orientation (8), square root, length 1: histograms of
    oriented gradients after Dalal and Triggs (2005). Levels: the share of pixels below each of 12
    levels, as they are and between the picture's own extremes. Texture: the logarithm of the power
    in 7 rings of spatial frequency.

    Examples
    --------
    >>> picture_features(np.zeros((2, 32, 32), np.float32)).shape
    (2, 159)
    """
    parts = (
        _edges(pictures),
        _LEVELS_WEIGHT * _levels(pictures),
        _TEXTURE_WEIGHT * _rings(pictures),
    )
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _edges(pictures: Pixels) -> Pixels:
    down, right = np.gradient(pictures, axis=(1, 2))
    strength = np.hypot(down, right)
    angle = (np.arctan2(down, right) % np.pi) * (_ORIENTATIONS / np.pi)
    lower = np.floor(angle)
    share = angle - lower
    cells = []
    for orientation in range(_ORIENTATIONS):
        own = np.where(lower % _ORIENTATIONS == orientation, 1 - share, 0)
        own += np.where((lower + 1) % _ORIENTATIONS == orientation, share, 0)
        cells.append(area_means(strength * own, _CELLS).reshape(len(pictures), -1))
    edges = np.sqrt(np.concatenate(cells, axis=1))
    scaled: Pixels = edges / (np.linalg.norm(edges, axis=1, keepdims=True) + 1e-6)
    return scaled


def _levels(pictures: Pixels) -> Pixels:
    flat = pictures.reshape(len(pictures), -1)
    low, high = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
    relative = (flat - low) / np.maximum(high - low, 1e-6)
    shares = [(values <= level).mean(axis=1) for values in (flat, relative) for level in _LEVELS]
    return np.stack(shares, axis=1).astype(np.float32)


def _rings(pictures: Pixels) -> Pixels:
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    centred /= pictures.std(axis=(1, 2), keepdims=True) + 1e-6
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE)).astype(np.float32)
    power = np.abs(np.fft.fft2(centred * window)) ** 2
    frequency = np.fft.fftfreq(SIDE) * SIDE
    radius = np.hypot(frequency[:, None], frequency)
    rings = [
        power[:, (radius >= inner) & (radius < outer)].mean(axis=1)
        for inner, outer in pairwise(_RINGS)
    ]
    return np.log(np.stack(rings, axis=1) + 1e-3).astype(np.float32)
