"""Which weights reach which layer of an encoder, found by gradients: any network has blocks so."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder


def reaching(network: Autoencoder) -> list[set[str]]:
    """Of each of `Autoencoder.layers` the names of the trainable parameters that it depends on.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 16, "widths": (8, 16)})
    >>> first, second = reaching(network)
    >>> len(first), len(second), first < second
    (6, 12, True)
    """
    held = {name: each for name, each in network.named_parameters() if each.requires_grad}
    was_training = network.training
    network.eval()
    with torch.enable_grad():
        blank = torch.rand(1, *network.shape, generator=torch.Generator().manual_seed(0))
        layers = network.layers(blank.to(network.mean.device))
        found = [_reaching(maps, held) for maps in layers]
    network.train(was_training)
    return found


def _reaching(maps: Tensor, held: dict[str, nn.Parameter]) -> set[str]:
    """Names of the parameters on which maps depend."""
    if not maps.requires_grad:
        return set()
    found = torch.autograd.grad(
        maps.float().sum(), list(held.values()), allow_unused=True, retain_graph=True
    )
    return {name for name, gradient in zip(held, found, strict=True) if gradient is not None}
