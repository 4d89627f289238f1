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
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, Size, halved_sizes
from latentdx.autoencoder.blocks import convolution, enlarged_convolution, flat_length, max_pooled
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss


@final
class ConvolutionalAutoencoder(Autoencoder):
    """Classic recipe, for any size and channel count.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    latent_dim: length of the latent vector z.
    widths: channels of the convolution blocks, each followed by a pooling by 2.
    reconstruction: the reconstruction loss by name, or weights by name.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim) -> reconstruction (N, C, *size)

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
        size: Size = 28,
        latent_dim: int = 32,
        widths: Sequence[int] = (32, 64, 128),
        reconstruction: Reconstruction = "mse",
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.latent_dim = latent_dim
        self.widths = tuple(widths)
        self.reconstruction = reconstruction
        self.sizes = halved_sizes(self.size, len(self.widths))
        inputs = (channels, *self.widths[:-1])
        self.encoder = nn.ModuleList(
            convolution(self.dims, i, o) for i, o in zip(inputs, self.widths, strict=True)
        )
        flat = flat_length(self.widths[-1], self.sizes[-1])
        self.to_latent = nn.Linear(flat, latent_dim)
        self.from_latent = nn.Linear(latent_dim, flat)
        back = (*self.widths[::-1], self.widths[0])
        self.decoder = nn.ModuleList(convolution(self.dims, i, o) for i, o in pairwise(back))
        self.to_pixels = convolution(self.dims, self.widths[0], channels)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        maps = []
        hidden = self.normalise(pixels)
        for layer in self.encoder:
            hidden = torch.relu_(max_pooled(layer(hidden)))  # as ReLU first, on a quarter
            maps.append(hidden)
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self.layers(pixels)[-1].flatten(1))
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        hidden = torch.relu(self.from_latent(latent))
        hidden = hidden.unflatten(1, (self.widths[-1], *self.sizes[-1]))
        for layer, target in zip(self.decoder, self.sizes[-2::-1], strict=True):
            hidden = torch.relu_(enlarged_convolution(layer, hidden, target))
        return torch.sigmoid(self.to_pixels(hidden))

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        error = reconstruction_loss(self.reconstruction, self.inside)
        return {"reconstruction": error(self(pixels), pixels)}
