"""`Teacher`: a copy of a network that is not trained but follows it."""

from __future__ import annotations

import copy
import math
from typing import Self, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images


@final
class Teacher(nn.Module):
    """Weights w' <- m w' + (1 - m) w after every step; always in evaluation mode.

    It is saved with the objective that owns it, so that a training goes on exactly. As in Tarvainen
    & Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)

    def layers(self, pixels: Images) -> list[Tensor]:
        """The copy's maps; they have a gradient with respect to pixels that have one."""
        return self.network.layers(pixels)

    @torch.no_grad()
    def follow(self, network: Autoencoder, momentum: float) -> None:
        """Move towards the weights of `network`; buffers are copied."""
        ours = [held.detach() for held in self.network.parameters()]
        theirs = [held.detach() for held in network.parameters()]
        torch._foreach_lerp_(ours, theirs, 1 - momentum)
        for mine, held in zip(self.network.buffers(), network.buffers(), strict=True):
            mine.copy_(held)

    @override
    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode: what it says of a scan does not depend on the batch."""
        return super().train(False)


def risen(first: float, progress: float) -> float:
    """A momentum that rises along half a cosine from `first` to 1 as `progress` goes from 0 to 1.

    Examples
    --------
    >>> [round(risen(0.96, progress), 2) for progress in (0.0, 0.5, 1.0)]
    [0.96, 0.98, 1.0]
    """
    return 1 - (1 - first) * (1 + math.cos(math.pi * progress)) / 2
