"""Two augmented views of every scan, as the encoder sees them."""

from __future__ import annotations

import torch
from torch import Tensor

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.base import untracked
from latentdx.autoencoder.pooling import mean_and_deviation
from latentdx.collection.augment import apply, draw


def pooled_views(network: Autoencoder, pixels: Images, generator: torch.Generator) -> Tensor:
    """The pooled deepest maps (2N, 2C) of two views of N scans: rows i and N + i belong together.

    The views are drawn by ``network.views``.
    """
    pair = pixels.repeat(2, *(1,) * (pixels.ndim - 1))
    views = apply(pair, draw(len(pair), network.views, generator, dims=network.dims))
    with untracked(network):
        return mean_and_deviation(network.layers(views)[-1])
