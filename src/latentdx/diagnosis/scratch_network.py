"""A small residual network for images and volumes, from pixels to a logit for each class.

    stem:    convolution 3, stride 2 -> batch norm -> ReLU
    stages:  one residual block each, width by width; each halves the side
    head:    mean over the picture -> dropout -> linear

Three stages of the default widths have 0.68 million parameters (2.0 million for volumes). Residual
blocks: He et al., CVPR 2016; a shortcut that averages before it projects: He et al., CVPR 2019.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from latentdx.autoencoder.blocks import batch_norm, convolution, laid_out
from latentdx.diagnosis.scratch_recipe import Recipe

_MEAN = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
_WHOLE_MEAN = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


class Halved(nn.Module):
    """Means of 2 x 2 (x 2) cells; an odd border makes a cell of its own."""

    def forward(
        self, x: Float[Tensor, "batch width *spatial"]
    ) -> Float[Tensor, "batch width *smaller"]:
        """Maps of half the side, rounded upwards."""
        sides = x.shape[2:]
        cells = [min(2, side) for side in sides]
        found: Tensor = _MEAN[len(sides)](x, cells, 2, ceil_mode=True)
        return found


class Block(nn.Module):
    """Two convolutions with batch norm around a shortcut; `stride` is 1 or 2.

    Pictures of any size go through.
    """

    def __init__(self, dims: int, found: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(dims, found, width, stride=stride, bias=False)
        self.first_norm = batch_norm(dims, width)
        self.second = convolution(dims, width, width, bias=False)
        self.second_norm = batch_norm(dims, width)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(Halved())
        if stride > 1 or found != width:
            self.shortcut.append(convolution(dims, found, width, 1, bias=False))
            self.shortcut.append(batch_norm(dims, width))

    def forward(
        self, x: Float[Tensor, "batch found *spatial"]
    ) -> Float[Tensor, "batch width *smaller"]:
        """Maps of the new width."""
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


def scratch_network(recipe: Recipe, *, dims: int, channels: int, n_classes: int) -> nn.Sequential:
    """A network for scaled pixels (N, C, *spatial) to logits (N, K), with first weights.

    Examples
    --------
    >>> network = scratch_network(Recipe(), dims=3, channels=2, n_classes=4)
    >>> network(torch.zeros(2, 2, 16, 16, 9)).shape
    torch.Size([2, 4])
    """
    stem, *stages = recipe.widths
    layers: list[nn.Module] = [
        convolution(dims, channels, stem, stride=2, bias=False),
        batch_norm(dims, stem),
        nn.ReLU(),
    ]
    found = stem
    for number, width in enumerate(stages):
        layers.append(Block(dims, found, width, 2 if number else recipe.first_stride))
        found = width
    layers += [_WHOLE_MEAN[dims](1), nn.Flatten(), nn.Dropout(recipe.dropout)]
    built: nn.Sequential = laid_out(nn.Sequential(*layers, nn.Linear(found, n_classes)))
    return built
