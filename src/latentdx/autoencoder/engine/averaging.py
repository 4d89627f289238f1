"""`WeightAverage`: an exponential moving average of weights, often better than the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Weights w' <- d w' + (1 - d) w after every step; running statistics are the network's own.

    Polyak & Juditsky, SIAM Journal on Control and Optimization, 1992.

    Attributes
    ----------
    tensors: the averaged parameters by name, sharded as the network's are.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.tensors = {name: held.detach().clone() for name, held in network.named_parameters()}
        self.decay = decay

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move towards the weights of `network`."""
        for name, held in network.named_parameters():
            self.tensors[name].lerp_(held.detach(), 1 - self.decay)

    @contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """Let `network` have the averaged weights for a while."""
        before = {name: held.detach().clone() for name, held in network.named_parameters()}
        _copy(self.tensors, network)
        try:
            yield
        finally:
            _copy(before, network)


@torch.no_grad()
def _copy(tensors: dict[str, Tensor], network: nn.Module) -> None:
    for name, held in network.named_parameters():
        held.copy_(tensors[name])
