"""`DomainObjective`: what the encoder is asked for where it is known which place a scan is from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.base import untracked
from latentdx.autoencoder.pooling import mean_and_deviation

Codes = Int[Tensor, "batch"]
Described = Float[Tensor, "batch feature"]


class DomainObjective(nn.Module, ABC):
    """A task beside reconstruction that needs the domain (site, scanner, ...) of each scan.

    As an `Objective` it owns what only the training needs. Its terms are 0 of a batch of which
    no domain is known.

    Attributes
    ----------
    weight: by which its terms are multiplied unless the user says otherwise.
    n_domains: domains are numbered 0..n_domains - 1, and -1 where not known.
    """

    weight: ClassVar[float] = 1.0

    def __init__(self, network: Autoencoder, n_domains: int) -> None:
        super().__init__()
        self.n_domains = n_domains

    @abstractmethod
    def losses(self, network: Autoencoder, pixels: Images, domains: Codes) -> dict[str, Tensor]:
        """Its terms for a batch (N, C, *size) from `domains` (N,), unweighted."""


def described(network: Autoencoder, pixels: Images) -> Described:
    """Mean and deviation over the scan of every layer, joined: (N, D), of unit variance over N.

    Of every layer, since features are made of all of them. Standardised by the batch, so that
    nothing is gained by making all features small.
    """
    with untracked(network):
        layers = network.layers(pixels)
    pooled = torch.cat([mean_and_deviation(maps) for maps in layers], dim=1)
    centred = pooled - pooled.mean(dim=0)
    return centred / torch.sqrt(centred.square().mean(dim=0) + 1e-5)


@torch.no_grad()
def described_width(network: Autoencoder) -> int:
    """D of `described`."""
    was_training = network.training
    blank = torch.zeros(1, *network.shape, device=network.mean.device)
    width = sum(2 * maps.shape[1] for maps in network.eval().layers(blank))
    network.train(was_training)
    return width
