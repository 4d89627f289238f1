"""The classic convolutional autoencoder: the recipe that most of the literature means.

    encode: [conv 3x3 -> ReLU -> max-pool 2] x (32, 64, 128), flatten, dense -> latent z
    decode: dense, [upsample 2 -> conv 3x3 -> ReLU] x (64, 32, 32), conv 3x3 -> sigmoid
    loss:   MSE(x, decode(encode(x))), or binary cross-entropy

Masci, Meier, Ciresan & Schmidhuber, "Stacked convolutional auto-encoders for hierarchical feature
extraction", ICANN 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, halved_sizes
from latentdx.autoencoder.losses import RECONSTRUCTION


@final
class ConvolutionalAutoencoder(Autoencoder):
    """Classic recipe, for any size and channel count.

    Parameters
    ----------
    channels, size: of the scans, (C, size, size).
    latent_dim: length of the latent vector z.
    widths: channels of the convolution blocks, each followed by a pooling by 2.
    reconstruction: ``"mse"`` or ``"bce"``.

    Shapes
    ------
    pixels (N, C, S, S) -> latent (N, latent_dim) -> reconstruction (N, C, S, S)

    Examples
    --------
    >>> network = ConvolutionalAutoencoder(channels=1, size=28, latent_dim=32)
    >>> network.encode(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 32])
    """

    learning_rate: ClassVar[float] = 1e-3  # Adam's own; twice that left sparse images at their mean

    def __init__(
        self,
        *,
        channels: int = 1,
        size: int = 28,
        latent_dim: int = 32,
        widths: Sequence[int] = (32, 64, 128),
        reconstruction: Literal["mse", "bce"] = "mse",
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.latent_dim = latent_dim
        self.widths = tuple(widths)
        self.reconstruction = reconstruction
        self.sizes = halved_sizes(size, len(self.widths))
        inputs = (channels, *self.widths[:-1])
        self.encoder = nn.ModuleList(
            nn.Conv2d(i, o, 3, padding=1) for i, o in zip(inputs, self.widths, strict=True)
        )
        flat = self.widths[-1] * self.sizes[-1] ** 2
        self.to_latent = nn.Linear(flat, latent_dim)
        self.from_latent = nn.Linear(latent_dim, flat)
        back = (*self.widths[::-1], self.widths[0])
        self.decoder = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(back))
        self.to_pixels = nn.Conv2d(self.widths[0], channels, 3, padding=1)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        maps = []
        hidden = self.normalise(pixels)
        for convolution in self.encoder:
            hidden = torch.relu(convolution(hidden))
            hidden = functional.max_pool2d(hidden, 2, ceil_mode=True)
            maps.append(hidden)
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self.layers(pixels)[-1].flatten(1))
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        side = self.sizes[-1]
        hidden = torch.relu(self.from_latent(latent)).unflatten(1, (self.widths[-1], side, side))
        for convolution, target in zip(self.decoder, self.sizes[-2::-1], strict=True):
            hidden = functional.interpolate(hidden, size=(target, target), mode="nearest")
            hidden = torch.relu(convolution(hidden))
        return torch.sigmoid(self.to_pixels(hidden))

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        return {"reconstruction": RECONSTRUCTION[self.reconstruction](self(pixels), pixels)}

    @override
    def settings(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "size": self.size,
            "latent_dim": self.latent_dim,
            "widths": list(self.widths),
            "reconstruction": self.reconstruction,
        }
