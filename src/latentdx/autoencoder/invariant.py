"""The default: an autoencoder that also learns what does not change between views of a scan.

    encode:  `Down`, 1x1 conv -> latent map z
    decode:  1x1 conv -> ReLU, `Up`
    loss:    a * R(x_1, decode(encode(x_1))) + b * VICReg(p(h(x_1)), p(h(x_2)))

x_1 and x_2 are two augmented views of a scan, h the pooled (mean and standard deviation) last
layer, p a projection that is used only for training, and R the reconstruction loss, by default
10 MSE + (1 - SSIM)/2 + gradient. Reconstruction gives anomaly maps and explanations; the
invariance term gives the diagnosis its features.

Bardes, Ponce & LeCun, ICLR 2022 (VICReg).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, Size
from latentdx.autoencoder.blocks import convolution
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.objectives.base import projection
from latentdx.autoencoder.objectives.vicreg import vicreg
from latentdx.autoencoder.pooling import mean_and_deviation
from latentdx.autoencoder.trunk import Down, Up
from latentdx.collection.augment import apply, carried, draw


@final
class InvariantAutoencoder(Autoencoder):
    """Reconstruction joined by a VICReg term on pooled features.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: channels of the latent map z at the last stage's resolution.
    reconstruction: the reconstruction loss by name, or weights by name.
    reconstruction_weight, invariance_weight: a and b of the loss. With 0.2 few labels go further
        than with 0.04: docs/research.md.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim, *deepest) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = InvariantAutoencoder(channels=1, size=28)
    >>> network(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_dim: int = 8,
        reconstruction: Reconstruction = "ssim-gradient",
        reconstruction_weight: float = 1.0,
        invariance_weight: float = 0.2,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.reconstruction = reconstruction
        self.reconstruction_weight = reconstruction_weight
        self.invariance_weight = invariance_weight
        deepest = self.widths[-1]
        self.down = Down(channels, self.size, self.widths)
        self.to_latent = convolution(self.dims, deepest, latent_dim, 1)
        self.from_latent = convolution(self.dims, latent_dim, deepest, 1)
        self.up = Up(channels, self.size, self.widths)
        self.projection = projection(2 * deepest, 512)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        maps: list[Tensor] = self.down(self.normalise(pixels))
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self.layers(pixels)[-1])
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        pixels: Tensor = self.up(torch.relu(self.from_latent(latent)))
        return pixels

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        count = len(pixels)
        pair = pixels.repeat(2, *(1,) * (pixels.ndim - 1))
        drawn = draw(2 * count, self.views, generator, dims=self.dims)
        views = apply(pair, drawn)
        deepest = self.layers(views)[-1]
        first, second = self.projection(mean_and_deviation(deepest)).chunk(2)
        rebuilt = self.decode(self.to_latent(deepest[:count]))
        inside = None if self.inside is None else carried(torch.cat([self.inside] * 2), drawn)
        loss = reconstruction_loss(self.reconstruction, None if inside is None else inside[:count])
        error = loss(rebuilt, views[:count])
        return {
            "reconstruction": self.reconstruction_weight * error,
            "invariance": self.invariance_weight * vicreg(first, second),
        }
