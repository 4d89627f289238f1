"""The kinds of features by name: what is made of an encoder's layers, or of its latent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.pooling import mean_and_deviation
from latentdx.features.cells import cell_contrasts, cell_means
from latentdx.features.scales import repeated_half
from latentdx.features.second_order import covariance_root

FeatureKind = Literal["fine-grid", "grid", "pooled", "latent", "multi-scale", "second-order"]
FeatureChoice = Literal[
    "fine-grid", "grid", "pooled", "latent", "multi-scale", "second-order", "auto"
]
DEFAULT: FeatureKind = "fine-grid"

Describe: TypeAlias = Callable[[Autoencoder, Tensor], Tensor]

_FIRST = 2  # layers whose contrasts are taken: edges and their small patterns
_LAST = 2  # layers whose covariance is taken


def fine_grid(network: Autoencoder, pixels: Tensor) -> Tensor:
    """`grid`, and the first two layers in finer cells by their contrast: `cell_contrasts`."""
    layers = network.layers(pixels)
    coarse = [cell_means(maps) for maps in layers]
    return torch.cat([*coarse, *(cell_contrasts(maps) for maps in layers[:_FIRST])], dim=1)


def grid(network: Autoencoder, pixels: Tensor) -> Tensor:
    """Means of every layer in each cell of a grid: `cell_means`."""
    return torch.cat([cell_means(maps) for maps in network.layers(pixels)], dim=1)


def pooled(network: Autoencoder, pixels: Tensor) -> Tensor:
    """Mean and standard deviation of every layer over the scan, joined."""
    return torch.cat([mean_and_deviation(maps) for maps in network.layers(pixels)], dim=1)


def latent(network: Autoencoder, pixels: Tensor) -> Tensor:
    """The bottleneck, flattened."""
    return network.encode(pixels).flatten(1)


def multi_scale(network: Autoencoder, pixels: Tensor) -> Tensor:
    """`pooled` of the scan, and of the scan at half its size: what is large becomes small."""
    halves = repeated_half(pixels)
    return torch.cat([pooled(network, pixels), pooled(network, halves)], dim=1)


def second_order(network: Autoencoder, pixels: Tensor) -> Tensor:
    """`pooled`, and which channels of the last two layers rise together: `covariance_root`."""
    layers = network.layers(pixels)
    first = [mean_and_deviation(maps) for maps in layers]
    second = [covariance_root(maps) for maps in layers[-_LAST:]]
    return torch.cat([*first, *second], dim=1)


KINDS: dict[FeatureKind, Describe] = {
    "fine-grid": fine_grid,
    "grid": grid,
    "pooled": pooled,
    "latent": latent,
    "multi-scale": multi_scale,
    "second-order": second_order,
}
"""Each takes a network and pixels (N, C, *spatial) and gives (N, D); the preferred first."""
assert tuple(KINDS) == get_args(FeatureKind)
