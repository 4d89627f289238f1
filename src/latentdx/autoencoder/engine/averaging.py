"""`WeightAverage`: an exponential moving average of weights, often better than the last ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class WeightAverage:
    """Weights w' <- d w' + (1 - d) w after every step; buffers are copied.

    Polyak & Juditsky, SIAM J. Control Optim. 1992; as used for autoencoders' teachers and GANs.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(requires_grad=False)
        self.decay = decay

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move towards the weights of `network`."""
        ours = [held.detach() for held in self.network.parameters()]
        theirs = [held.detach() for held in network.parameters()]
        torch._foreach_lerp_(ours, theirs, 1 - self.decay)
        for mine, held in zip(self.network.buffers(), network.buffers(), strict=True):
            mine.copy_(held)

    @contextmanager
    def in_place(self, network: nn.Module) -> Iterator[None]:
        """Let `network` have the averaged weights for a while."""
        before = {name: held.detach().clone() for name, held in network.state_dict().items()}
        network.load_state_dict(self.network.state_dict())
        try:
            yield
        finally:
            network.load_state_dict(before)
