"""Which weights of an encoder are trained on labels: none, those of the last block, or all.

Blocks are found by gradients, so that any network has them, a user's own too: the last block is
what reaches the deepest of `Autoencoder.layers` and no layer before it.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder

FineTune = Literal["none", "head", "last", "all"]
FineTuneChoice = Literal["auto", FineTune]


def tuned_names(network: Autoencoder, which: FineTune) -> tuple[str, ...]:
    """Names of the parameters that are trained, in the network's order.

    Where the network has one layer, that is its last block.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 16, "widths": (8, 16)})
    >>> tuned_names(network, "last")[0], len(tuned_names(network, "all"))
    ('down.stages.1.0.0.weight', 12)
    """
    if which in ("none", "head"):
        return ()
    held = {name: each for name, each in network.named_parameters() if each.requires_grad}
    was_training = network.training
    network.eval()
    with torch.enable_grad():
        blank = torch.rand(1, *network.shape, generator=torch.Generator().manual_seed(0))
        layers = network.layers(blank.to(network.mean.device))
        by_layer = [_reaching(maps, held) for maps in layers]
    network.train(was_training)
    before = set().union(*by_layer[:-1]) if which == "last" else set()
    wanted = set().union(*by_layer) - before
    return tuple(name for name in held if name in wanted)


def _reaching(maps: Tensor, held: dict[str, nn.Parameter]) -> set[str]:
    """Names of the parameters on which maps depend."""
    if not maps.requires_grad:
        return set()
    found = torch.autograd.grad(
        maps.float().sum(), list(held.values()), allow_unused=True, retain_graph=True
    )
    return {name for name, gradient in zip(held, found, strict=True) if gradient is not None}
