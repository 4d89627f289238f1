"""`Autoencoder`: what every member of the family is and can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "batch channel height width"]


class Autoencoder(nn.Module, ABC):
    """An encoder, a decoder and the loss that trains both; pixels are in 0..1.

    A member is final: it says how it encodes, decodes and learns in one file. ``mean`` and ``std``
    are fitted on the training part and travel with the weights. ``learning_rate`` is the one that
    the member is trained with unless another is asked for.
    """

    learning_rate: ClassVar[float] = 2e-3
    mean: Tensor
    std: Tensor

    def __init__(self, *, channels: int, size: int) -> None:
        super().__init__()
        self.channels = channels
        self.size = size
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))

    def normalise(self, pixels: Images) -> Images:
        """Centre and scale pixels by the training part's mean and standard deviation."""
        return (pixels - self.mean) / self.std

    def fit_normalisation(self, pixels: Images) -> None:
        """Set ``mean`` and ``std`` (per channel) from pixels of the training part."""
        self.mean.copy_(pixels.mean(dim=(0, 2, 3), keepdim=True))
        self.std.copy_(pixels.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-3))

    @abstractmethod
    def layers(self, pixels: Images) -> list[Tensor]:
        """Feature maps (N, C_i, H_i, W_i) of the encoder, from shallow to deep."""

    @abstractmethod
    def encode(self, pixels: Images) -> Tensor:
        """Pixels to latent (N, ...)."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Images:
        """Latent to a reconstruction (N, C, H, W) in 0..1."""

    @abstractmethod
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        """The weighted terms of the training loss for a batch; their sum is what is minimised."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The JSON-able keyword arguments that build this network again."""

    def forward(self, pixels: Images) -> Images:
        """Reconstruct."""
        return self.decode(self.encode(pixels))


def halved_sizes(size: int, times: int) -> list[int]:
    """[size, ceil(size / 2), ceil(size / 4), ...]: odd sizes are rounded up, never cut."""
    sizes = [size]
    for _ in range(times):
        sizes.append(-(-sizes[-1] // 2))
    return sizes
