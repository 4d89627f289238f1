"""Discriminators: what tells true from made, of latents and of pixels, and the two sides' losses.

    its own:       mean of softplus(-D(true)) + mean of softplus(D(made))
    the other's:   mean of softplus(-D(made))        (non-saturating)

D is a logit: positive where it takes its input for true (Goodfellow et al., NeurIPS 2014). Every
layer but the last one is under spectral normalisation (Miyato et al., ICLR 2018), and none under
batch normalisation: what D says of a scan does not depend on its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.blocks import convolution
from latentdx.autoencoder.spectral import SpectralNorm

_SLOPE = 0.2


@final
class LatentDiscriminator(nn.Module):
    """Latents (N, D) to logits (N, 1): two hidden layers of `width`.

    Examples
    --------
    >>> LatentDiscriminator(8)(torch.zeros(2, 8)).shape
    torch.Size([2, 1])
    """

    def __init__(self, length: int, *, width: int = 128) -> None:
        super().__init__()
        self.first = SpectralNorm(nn.Linear(length, width, bias=False))
        self.second = SpectralNorm(nn.Linear(width, width, bias=False))
        self.last = nn.Linear(width, 1)

    @override
    def forward(self, latent: Float[Tensor, "batch unit"]) -> Float[Tensor, "batch 1"]:
        hidden = functional.leaky_relu(self.first(latent), _SLOPE)
        hidden = functional.leaky_relu(self.second(hidden), _SLOPE)
        logits: Tensor = self.last(hidden)
        return logits


class Seen(NamedTuple):
    """What a discriminator of pixels makes of a batch: logits of patches, and its maps."""

    logits: Float[Tensor, "batch 1 *patches"]
    maps: tuple[Tensor, ...]


@final
class PixelDiscriminator(nn.Module):
    """Pixels (N, C, *size) to a logit for each patch, (N, 1, *size / 2 ** len(widths)).

    A stride-2 convolution for each of `widths`; kept small, so that it does not win. A patch is
    judged by its texture, not by the whole scan (Isola et al., "pix2pix", CVPR 2017).

    Examples
    --------
    >>> seen = PixelDiscriminator(1, dims=2)(torch.zeros(2, 1, 16, 16))
    >>> seen.logits.shape, len(seen.maps)
    (torch.Size([2, 1, 2, 2]), 3)
    """

    def __init__(self, channels: int, *, dims: int, widths: Sequence[int] = (16, 32, 64)) -> None:
        super().__init__()
        inputs = (channels, *widths[:-1])
        self.stages = nn.ModuleList(
            SpectralNorm(convolution(dims, i, o, stride=2, bias=False))
            for i, o in zip(inputs, widths, strict=True)
        )
        self.last = convolution(dims, widths[-1], 1, 1)

    @override
    def forward(self, pixels: Float[Tensor, "batch channel *spatial"]) -> Seen:
        hidden, maps = pixels, []
        for stage in self.stages:
            hidden = functional.leaky_relu(stage(hidden), _SLOPE)
            maps.append(hidden)
        return Seen(self.last(hidden), tuple(maps))


def discriminator_loss(true: Tensor, made: Tensor) -> Tensor:
    """Of the logits of true and of made inputs (any shapes); log 4 (1.386) for a blind one.

    Examples
    --------
    >>> round(discriminator_loss(torch.zeros(3, 1), torch.zeros(5, 1)).item(), 3)
    1.386
    """
    return functional.softplus(-true.float()).mean() + functional.softplus(made.float()).mean()


def deception_loss(made: Tensor) -> Tensor:
    """Of the logits of made inputs: low where they are taken for true."""
    return functional.softplus(-made.float()).mean()


def steepness(discriminator: Callable[[Tensor], Tensor], true: Tensor) -> Tensor:
    """Mean squared slope |dD/dx|^2 at the true inputs (N, ...): a scalar with gradients to D.

    As a penalty it makes a game settle that would otherwise go round in circles: a D that tells
    nothing apart any more is flat. Mescheder, Geiger & Nowozin, "Which training methods for GANs
    do actually converge?", ICML 2018 (R1; a penalty of ``5 * steepness`` is their gamma = 10).

    Examples
    --------
    >>> steepness(lambda inputs: 3 * inputs, torch.zeros(2, 1)).item()
    9.0
    """
    with torch.enable_grad():  # a slope is one, also where the loss is only looked at
        inputs = true.detach().requires_grad_()
        logits = discriminator(inputs).float().sum()
        (slopes,) = torch.autograd.grad(logits, inputs, create_graph=True)
    return slopes.float().flatten(1).square().sum(dim=1).mean()


@torch.no_grad()
def accuracy(true: Tensor, made: Tensor) -> float:
    """Share of logits on their side of the median of all: 0.5 for a blind one, 1 for a sure one.

    The median, because the level of all logits drifts in a game and says nothing.

    Examples
    --------
    >>> accuracy(torch.tensor([[5.0], [6.0]]), torch.tensor([[3.0], [4.0]]))
    1.0
    """
    true, made = true.float(), made.float()
    level = torch.cat([true.flatten(), made.flatten()]).quantile(0.5)
    above, below = (true > level).float().mean(), (made < level).float().mean()
    return float(above + below) / 2


def feature_error(maps: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """How far maps (N, C_i, ...) are from those of the true scans: 0 equal, about 1 unrelated.

    The mean over layers of the squared error as a share of the true maps' variance, which makes
    layers count alike, however a discriminator scales them.
    """
    errors = [
        functional.mse_loss(made.float(), other.float()) / (other.float().var() + 1e-6)
        for made, other in zip(maps, true, strict=True)
    ]
    return torch.stack(errors).mean()
