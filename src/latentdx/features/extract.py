"""`embed`: scans to embeddings, by the encoder's pooled layers or its latent."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.pooling import mean_and_deviation

FeatureKind = Literal["pooled", "latent"]
Pixels = NDArray[np.float32]
Embeddings = NDArray[np.float32]

_BATCH = 256


@torch.inference_mode()
def embed(network: Autoencoder, pixels: Pixels, kind: FeatureKind = "pooled") -> Embeddings:
    """Embeddings (N, D) of pixels (N, C, S, S), in the network's own device, in 32 bits.

    ``pooled``: mean and standard deviation of every layer over the picture, joined; they do not
    depend on where in the picture something lies. ``latent``: the bottleneck, flattened.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 28, "widths": (8, 16)})
    >>> embed(network, np.zeros((2, 1, 28, 28), np.float32)).shape
    (2, 48)
    """
    assert kind in get_args(FeatureKind)
    network.eval()
    device = next(network.parameters()).device
    found = []
    for start in range(0, len(pixels), _BATCH):
        batch = torch.from_numpy(pixels[start : start + _BATCH]).to(device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        if kind == "latent":
            vectors = network.encode(batch).flatten(1)
        else:
            pooled = [mean_and_deviation(maps) for maps in network.layers(batch)]
            vectors = torch.cat(pooled, dim=1)
        found.append(vectors.float().cpu().numpy())
    return np.concatenate(found)


@torch.inference_mode()
def reconstruct(network: Autoencoder, pixels: Pixels) -> Pixels:
    """Reconstructions (N, C, S, S) in 0..1 of pixels (N, C, S, S)."""
    network.eval()
    device = next(network.parameters()).device
    batches = (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))
    found = [network(torch.from_numpy(batch).to(device)).float().cpu().numpy() for batch in batches]
    return np.concatenate(found)
