"""A convolutional masked autoencoder: it learns by filling in what is hidden from it.

    encode:  hidden cells are zero, after every [conv 3 -> norm -> ReLU] again, 1x1 conv -> z
    decode:  z, in training with a learned token at hidden places, 1x1 conv -> ReLU, `Up`
    loss:    R over hidden pixels + w R over visible ones

Convolutions would carry what is visible into hidden places, stage by stage, until the shape of
the mask is gone and statistics are those of no scan; with the mask laid over every layer the
dense convolutions compute what sparse ones would. Batch statistics are those of visible places.
In use nothing is hidden, and the decoder works from the latent alone: unlike in SparK there are no
skip connections, which would let fine pixels by-pass the latent.

Tian et al., "Designing BERT for convolutional networks" (SparK), ICLR 2023; Woo et al.,
"ConvNeXt V2", CVPR 2023 (FCMAE).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, Size, halved_sizes
from latentdx.autoencoder.blocks import batch_norm, convolution, max_pooled, unshuffled
from latentdx.autoencoder.losses.reconstruction import Reconstruction
from latentdx.autoencoder.masking import MaskedLoss, draw_visible, spread
from latentdx.autoencoder.trunk import Up

_FEWEST = 4  # cells that can be hidden: a smaller grid leaves nothing to choose from


@final
class MaskedAutoencoder(Autoencoder):
    """Masked image modelling with convolutions; hidden regions leak nothing.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: channels of the latent map z at the last stage's resolution.
    reconstruction: the reconstruction loss by name, or weights by name.
    mask_ratio: share of the cells that is hidden; a cell is one position of the last stage (of an
        earlier one in scans so small that the last has fewer than four).
    visible_weight: w of the loss; 0 is the papers', but then nothing trains the reconstruction
        of what is seen, by which strange scans are told.
    normalised_target: see `MaskedLoss`; only with the reconstruction loss ``mse``.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim, *deepest) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = MaskedAutoencoder(channels=1, size=32)
    >>> network.encode(torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_dim: int = 8,
        reconstruction: Reconstruction = "mse",
        mask_ratio: float = 0.6,
        visible_weight: float = 0.2,
        normalised_target: bool = False,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.reconstruction = reconstruction
        self.mask_ratio = mask_ratio
        self.visible_weight = visible_weight
        self.normalised_target = normalised_target
        self.sizes = halved_sizes(self.size, len(self.widths))[1:]
        self.drawn_at = _stage_to_mask(self.sizes)
        cell = 2 ** (self.drawn_at + 1)
        self.loss = MaskedLoss(reconstruction, visible_weight, cell, normalised_target)
        inputs = (channels * 2**self.dims, *self.widths)
        self.stages = nn.ModuleList(
            _Stage(self.dims, inputs[i], width, stride=2 if i else 1)
            for i, width in enumerate(self.widths)
        )
        deepest = self.widths[-1]
        self.to_latent = convolution(self.dims, deepest, latent_dim, 1)
        self.mask_token = nn.Parameter(torch.zeros(1, latent_dim, *(1,) * self.dims))
        self.from_latent = convolution(self.dims, latent_dim, deepest, 1)
        self.up = Up(channels, self.size, self.widths)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        return self.visible_layers(pixels, None)

    def visible_layers(self, pixels: Images, masks: list[Tensor] | None) -> list[Tensor]:
        """Maps that depend on visible pixels alone, zero elsewhere; see `draw_masks`."""
        hidden = self.normalise(pixels)
        if masks is not None:
            hidden = hidden * masks[0]
        hidden, maps = unshuffled(hidden), []
        for number, stage in enumerate(self.stages, 1):
            hidden = stage(hidden, None if masks is None else masks[number])
            maps.append(hidden)
        return maps

    def draw_masks(self, count: int, generator: torch.Generator) -> list[Tensor]:
        """Booleans (N, 1, *size) of the scan, then of each stage; True is visible.

        One drawing, enlarged: a place of a stage is hidden where all of its pixels are.
        """
        grid = self.sizes[self.drawn_at]
        drawn = draw_visible(count, math.prod(grid), self.mask_ratio, generator)
        drawn = drawn.reshape(count, 1, *grid).to(self.mean.device)
        sizes = (self.size, *self.sizes)
        above = range(self.drawn_at + 1, -1, -1)
        masks = [spread(drawn, 2**up, sizes[self.drawn_at + 1 - up]) for up in above]
        while len(masks) < len(sizes):
            masks.append(max_pooled(masks[-1].float()) > 0)
        return masks

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
        masks = self.draw_masks(len(pixels), generator)
        latent = self.to_latent(self.visible_layers(pixels, masks)[-1])
        filled = torch.where(masks[-1], latent, self.mask_token.to(latent.dtype))
        return self.loss(self.decode(filled), pixels, masks[0], self.inside)


class _Stage(nn.Module):
    """[conv 3 -> norm of visible places -> ReLU -> mask] twice."""

    def __init__(self, dims: int, inputs: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                convolution(dims, inputs, width, stride=stride, bias=False),
                convolution(dims, width, width, bias=False),
            ]
        )
        self.norms = nn.ModuleList(batch_norm(dims, width) for _ in range(2))

    def forward(self, maps: Tensor, mask: Tensor | None) -> Tensor:
        for convolve, norm in zip(self.convolutions, self.norms, strict=True):
            if mask is None:
                maps = torch.relu(norm(convolve(maps)))
            else:
                maps = torch.relu(_normalised(norm, convolve(maps), mask)) * mask
        return maps


def _normalised(norm: Any, maps: Tensor, mask: Tensor) -> Tensor:
    """`norm` with the statistics of the visible places, which it remembers for use."""
    if not norm.training:
        found: Tensor = norm(maps)
        return found
    axes = (0, *range(2, maps.ndim))
    exact = maps.float()
    count = mask.sum()
    mean = (exact * mask).sum(axes, keepdim=True) / count
    variance = ((exact - mean).square() * mask).sum(axes, keepdim=True) / count
    with torch.no_grad():
        unbiased = variance * count / (count - 1).clamp(min=1)
        norm.running_mean.lerp_(mean.flatten(), norm.momentum)
        norm.running_var.lerp_(unbiased.flatten(), norm.momentum)
        norm.num_batches_tracked += 1
    scale = norm.weight.reshape(mean.shape) * torch.rsqrt(variance + norm.eps)
    scaled: Tensor = (exact - mean) * scale + norm.bias.reshape(mean.shape)
    return scaled.to(maps.dtype)


def _stage_to_mask(sizes: Sequence[Sequence[int]]) -> int:
    """The deepest stage with enough cells; the first where none has."""
    enough = [number for number, size in enumerate(sizes) if math.prod(size) >= _FEWEST]
    return max(enough, default=0)
