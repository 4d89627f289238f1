"""Features without any learning of ours: flat pixels and HOG. The rivals of the autoencoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Embeddings = NDArray[np.float32]


def flat_pixels(pixels: Pixels) -> Embeddings:
    """Pixels (N, C, S, S) as vectors (N, C * S * S)."""
    return np.ascontiguousarray(pixels.reshape(len(pixels), -1))


def hog(pixels: Pixels) -> Embeddings:
    """Histograms of oriented gradients (N, D) of the mean channel of pixels (N, C, S, S).

    Eight directions, about seven cells a side, blocks of 2 x 2 cells (Dalal & Triggs, CVPR 2005;
    scikit-image's implementation).
    """
    from skimage.feature import hog as oriented_gradients

    cell = max(2, pixels.shape[-1] // 7)
    found = [
        oriented_gradients(
            image.mean(axis=0), orientations=8, pixels_per_cell=(cell, cell), cells_per_block=(2, 2)
        )
        for image in pixels
    ]
    return np.stack(found).astype(np.float32)
