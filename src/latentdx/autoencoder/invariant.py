"""The default: a convolutional autoencoder that also learns what does not change between views.

    encode:  pixel-unshuffle 2, [conv 3x3 -> norm -> ReLU] x 2 per stage, stride 2 between stages,
             1x1 conv -> latent map z
    decode:  the mirror, pixel-shuffle 2 -> sigmoid
    loss:    a * (10 MSE + (1 - SSIM)/2 + gradient)(x_1, decode(encode(x_1)))
             + b * VICReg(p(h(x_1)), p(h(x_2)))

x_1 and x_2 are two augmented views of a scan, h the pooled (mean and standard deviation) last
layer and p a projection that is used only for training. Reconstruction gives anomaly maps and
explanations; the invariance term gives the diagnosis its features.

Bardes, Ponce & LeCun, ICLR 2022 (VICReg); Shi et al., CVPR 2016 (pixel shuffle).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, halved_sizes
from latentdx.autoencoder.losses import ssim_gradient
from latentdx.autoencoder.objectives import vicreg
from latentdx.autoencoder.pooling import mean_and_deviation
from latentdx.collection.augment import VIEWS, apply, draw


@final
class InvariantAutoencoder(Autoencoder):
    """Reconstruction (SSIM + gradient) joined by a VICReg term on pooled features.

    Parameters
    ----------
    channels, size: of the scans, (C, size, size); any size >= 8.
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_channels: channels of the latent map z at the last stage's resolution.
    reconstruction_weight, invariance_weight: a and b of the loss.

    Shapes
    ------
    pixels (N, C, S, S) -> latent (N, latent_channels, s, s) -> reconstruction (N, C, S, S)

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
        size: int = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_channels: int = 8,
        reconstruction_weight: float = 1.0,
        invariance_weight: float = 0.04,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_channels = latent_channels
        self.reconstruction_weight = reconstruction_weight
        self.invariance_weight = invariance_weight
        self.sizes = halved_sizes(size, len(self.widths))[1:]
        self.stages = nn.ModuleList()
        inputs = 4 * channels
        for index, width in enumerate(self.widths):
            self.stages.append(_stage(inputs, width, stride=1 if index == 0 else 2))
            inputs = width
        self.to_latent = nn.Conv2d(inputs, latent_channels, 1)
        self.from_latent = nn.Conv2d(latent_channels, inputs, 1)
        back = (inputs, *(max(width * 2 // 3, 16) for width in self.widths[-2::-1]))
        self.up = nn.ModuleList(_block(i, o) for i, o in pairwise(back))
        self.to_pixels = nn.Conv2d(back[-1], 4 * channels, 3, padding=1)
        self.projection = nn.Sequential(
            nn.Linear(2 * self.widths[-1], 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 512)
        )

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        hidden = functional.pixel_unshuffle(self._pad(self.normalise(pixels)), 2)
        maps = []
        for stage in self.stages:
            hidden = stage(hidden)
            maps.append(hidden)
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self.layers(pixels)[-1])
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        hidden = torch.relu(self.from_latent(latent))
        for block, side in zip(self.up, self.sizes[-2::-1], strict=True):
            hidden = block(functional.interpolate(hidden, size=(side, side), mode="nearest"))
        padded = torch.sigmoid(functional.pixel_shuffle(self.to_pixels(hidden), 2))
        return padded[..., : self.size, : self.size]

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        views = apply(pixels.repeat(2, 1, 1, 1), draw(2 * len(pixels), VIEWS, generator))
        deepest = self.layers(views)[-1]
        first, second = self.projection(mean_and_deviation(deepest)).chunk(2)
        view = views[: len(pixels)]
        reconstruction = self.decode(self.to_latent(deepest[: len(pixels)]))
        return {
            "reconstruction": self.reconstruction_weight * ssim_gradient(reconstruction, view),
            "invariance": self.invariance_weight * vicreg(first, second),
        }

    @override
    def settings(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "size": self.size,
            "widths": list(self.widths),
            "latent_channels": self.latent_channels,
            "reconstruction_weight": self.reconstruction_weight,
            "invariance_weight": self.invariance_weight,
        }

    def _pad(self, pixels: Images) -> Tensor:
        """Pad an odd size right and below by one, repeating the border: unshuffling halves it."""
        extra = self.size % 2
        return functional.pad(pixels, (0, extra, 0, extra), mode="replicate") if extra else pixels


def _block(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _stage(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(_block(inputs, outputs, stride=stride), _block(outputs, outputs))
