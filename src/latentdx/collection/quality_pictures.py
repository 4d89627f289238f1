"""Scans as small grey pictures of one shape, padding left out: what the gate compares."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

SIDE = 32


def small_pictures(pixels: Pixels, native_shape: NDArray[Any]) -> Pixels:
    """float32 (N, SIDE, SIDE) of `pixels` (N, C, *spatial), each value the mean of an area.

    `native_shape` is (N, 2), rows and columns before padding (0 where not known): the padding of
    `fit_square` is cut off, so that it can neither hide nor make a difference. Of volumes it is
    the middle slice along the last axis, uncropped. Channels are averaged.

    Examples
    --------
    >>> padded = np.zeros((1, 1, 64, 64), np.float32)
    >>> padded[0, 0, :, 16:48] = 1
    >>> float(small_pictures(padded, np.array([[64, 32]])).min())
    1.0
    """
    if pixels.ndim == 5:
        return _reduced(pixels[..., pixels.shape[-1] // 2].mean(axis=1))
    grey = pixels.mean(axis=1)
    found = np.empty((len(grey), SIDE, SIDE), np.float32)
    boxes, which = np.unique(_boxes(native_shape, grey.shape[1]), axis=0, return_inverse=True)
    for number, (top, left) in enumerate(boxes.tolist()):
        own = which.ravel() == number
        found[own] = _reduced(grey[own, top : grey.shape[1] - top, left : grey.shape[2] - left])
    return found


def area_means(pictures: Pixels, side: int) -> Pixels:
    """(N, H, W) to (N, side, side); H and W are multiples of `side`."""
    n, height, width = pictures.shape
    parts = pictures.reshape(n, side, height // side, side, width // side)
    means: Pixels = parts.mean(axis=(2, 4))
    return means


def _boxes(native_shape: NDArray[Any], size: int) -> NDArray[np.int64]:
    """(N, 2) rows above, and columns left of, the picture in its square."""
    native = np.asarray(native_shape, np.float64)[:, :2]
    known = (native > 0).all(axis=1, keepdims=True)
    longest = np.maximum(1, native.max(axis=1, keepdims=True))
    inner = np.where(known, np.maximum(1, np.rint(native * size / longest)), size)
    # Half a pixel of padding on one side at most stays: boxes are centred.
    margin: NDArray[np.int64] = ((size - inner) // 2).astype(np.int64)
    return margin


def _reduced(grey: Pixels) -> Pixels:
    rows, columns = (_overlaps(length) for length in grey.shape[1:])
    reduced: Pixels = (rows @ grey @ columns.T).astype(np.float32, copy=False)
    return reduced


@lru_cache(maxsize=256)
def _overlaps(length: int) -> Pixels:
    """(SIDE, length): the share of each pixel in each of SIDE equal stretches; rows sum to 1."""
    edges = np.linspace(0, length, SIDE + 1)
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    shares: Pixels = (overlap.clip(0) * (SIDE / length)).astype(np.float32)
    return shares
