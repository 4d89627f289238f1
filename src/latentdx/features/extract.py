"""`embed`: scans to embeddings, of a kind that `KINDS` names."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.features.kinds import DEFAULT, KINDS, FeatureKind

Pixels = NDArray[np.float32]
Embeddings = NDArray[np.float32]

_MOST_SCANS, _MOST_PIXELS = 256, 1 << 22  # of a batch; a pixel of a volume is a voxel


@torch.inference_mode()
def embed(network: Autoencoder, pixels: Pixels, kind: FeatureKind = DEFAULT) -> Embeddings:
    """Embeddings (N, D) of pixels (N, C, *spatial), in the network's own device, in 32 bits.

    ``grid``: means of every layer in the cells of a coarse grid, joined; ``fine-grid``: beside them
    the contrasts of the first two layers in finer cells. ``pooled``: mean and
    standard deviation of every layer over the scan; they do not depend on where in it something
    lies. ``latent``: the bottleneck, flattened. ``multi-scale`` and ``second-order``: ``pooled``,
    and more: see `latentdx.features.kinds`.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 28, "widths": (8, 16)})
    >>> embed(network, np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 816)
    """
    describe = KINDS[kind]
    network.eval()
    device = next(network.parameters()).device
    found = []
    for rows in batches_of(pixels.shape):
        batch = batch_laid_out(torch.from_numpy(pixels[rows]).to(device))
        found.append(describe(network, batch).float().cpu().numpy())
    return np.concatenate(found)


@torch.inference_mode()
def reconstruct(network: Autoencoder, pixels: Pixels) -> Pixels:
    """Reconstructions (N, C, *spatial) in 0..1 of pixels (N, C, *spatial)."""
    network.eval()
    device = next(network.parameters()).device
    found = np.empty_like(pixels)
    for rows in batches_of(pixels.shape):
        found[rows] = network(torch.from_numpy(pixels[rows]).to(device)).float().cpu().numpy()
    return found


def batches_of(shape: Sequence[int]) -> list[slice]:
    """Rows of scans of `shape` (N, C, *spatial) that go through a network together.

    256 of them, fewer of large ones: no more than some 4 million pixels or voxels.

    Examples
    --------
    >>> batches_of((300, 1, 28, 28))
    [slice(0, 256, None), slice(256, 512, None)]
    >>> len(batches_of((256, 1, 64, 64, 64)))
    16
    """
    step = max(1, min(_MOST_SCANS, _MOST_PIXELS // math.prod(shape[2:])))
    return [slice(start, start + step) for start in range(0, shape[0], step)]
