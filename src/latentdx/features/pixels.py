"""Features without any learning of ours: flat pixels and HOG. The rivals of the autoencoder."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Pixels = NDArray[np.float32]
Embeddings = NDArray[np.float32]

_MOST_VOXELS = 16  # a side: 4096 in all, as many as an image of 64 x 64 has pixels
_CELLS, _CELLS_OF_SLICES = 7, 5  # a side
_DEPTHS = (0.25, 0.5, 0.75)


def flat_pixels(pixels: Pixels) -> Embeddings:
    """Pixels (N, C, H, W) as vectors (N, C * H * W).

    Of volumes (N, C, X, Y, Z) the means of blocks of voxels, at most 16 blocks a side.

    Examples
    --------
    >>> flat_pixels(np.zeros((2, 1, 8, 9), np.float32)).shape
    (2, 72)
    >>> flat_pixels(np.zeros((2, 1, 32, 24, 10), np.float32)).shape
    (2, 2560)
    """
    if pixels.ndim == 5:
        x, y, z = (min(side, _MOST_VOXELS) for side in pixels.shape[2:])
        pixels = functional.adaptive_avg_pool3d(torch.from_numpy(pixels), (x, y, z)).numpy()
    return np.ascontiguousarray(pixels.reshape(len(pixels), -1))


def hog(pixels: Pixels) -> Embeddings:
    """Histograms of oriented gradients (N, D) of the mean channel of pixels (N, C, *spatial).

    Eight directions, about seven cells a side, blocks of 2 x 2 cells (Dalal & Triggs, CVPR 2005;
    scikit-image's implementation). Of volumes those of nine slices, joined: at a quarter, a half
    and three quarters of each axis, with about five cells a side.

    Examples
    --------
    >>> hog(np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 1152)
    >>> hog(np.zeros((2, 1, 28, 28, 28), np.float32)).shape
    (2, 4608)
    """
    grey = pixels.mean(axis=1)
    if grey.ndim == 3:
        return np.stack([_of_image(image, _CELLS) for image in grey]).astype(np.float32)
    rows = [[_of_image(plane, _CELLS_OF_SLICES) for plane in _slices(volume)] for volume in grey]
    return np.stack([np.concatenate(found) for found in rows]).astype(np.float32)


def _of_image(image: Pixels, n_cells: int) -> NDArray[np.float64]:
    from skimage.feature import hog as oriented_gradients

    cells = tuple(max(2, side // n_cells) for side in image.shape)
    found: NDArray[np.float64] = oriented_gradients(
        image, orientations=8, pixels_per_cell=cells, cells_per_block=(2, 2)
    )
    return found


def _slices(volume: Pixels) -> Iterator[Pixels]:
    """Three slices across each axis of a volume (X, Y, Z)."""
    for axis, side in enumerate(volume.shape):
        for depth in _DEPTHS:
            yield np.take(volume, int(depth * side), axis)
