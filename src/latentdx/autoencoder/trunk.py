"""The trunk that most members share: a pyramid of convolutions down, and its mirror up.

    encode: pixel-unshuffle 2, [conv 3 -> norm -> ReLU] x 2 per stage, stride 2 between stages
    decode: [nearest 2 -> conv 3 -> norm -> ReLU] per stage, conv 3, pixel-shuffle 2 -> sigmoid

The stem works at half the resolution: most of the cost of a convolutional network lies in its
first layers, and a 2 x 2 cell as channels loses nothing (Shi et al., CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from latentdx.autoencoder.base import halved_sizes
from latentdx.autoencoder.blocks import (
    convolution,
    convolution_block,
    enlarged_convolution,
    flat_length,
    shuffled,
    unshuffled,
)


class Down(nn.Module):
    """Normalised pixels (N, C, *size) to maps (N, widths[i], *sizes[i]), shallow to deep.

    Attributes
    ----------
    sizes: spatial size of each stage's maps: a half, a quarter, ... of the scan's, rounded up.
    """

    def __init__(self, channels: int, size: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        dims = len(size)
        self.sizes = halved_sizes(size, len(widths))[1:]
        inputs = channels * 2**dims
        self.stages = nn.ModuleList()
        for index, width in enumerate(widths):
            first = convolution_block(dims, inputs, width, stride=1 if index == 0 else 2)
            self.stages.append(nn.Sequential(first, convolution_block(dims, width, width)))
            inputs = width

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """All stages' maps."""
        hidden, maps = unshuffled(pixels), []
        for stage in self.stages:
            hidden = stage(hidden)
            maps.append(hidden)
        return maps


class Up(nn.Module):
    """Maps (N, widths[-1], *deepest) to pixels (N, C, *size) in 0..1."""

    def __init__(self, channels: int, size: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        dims = len(size)
        self.size = tuple(size)
        self.sizes = halved_sizes(size, len(widths))[1:]
        back = (widths[-1], *(max(width * 2 // 3, 16) for width in widths[-2::-1]))
        self.blocks: Any = nn.ModuleList(convolution_block(dims, i, o) for i, o in pairwise(back))
        self.to_pixels = convolution(dims, back[-1], channels * 2**dims)

    def forward(self, hidden: Tensor) -> Tensor:
        """The reconstruction."""
        for block, side in zip(self.blocks, self.sizes[-2::-1], strict=True):
            hidden = block[1:](enlarged_convolution(block[0], hidden, side))
        return torch.sigmoid(shuffled(self.to_pixels(hidden), self.size))


class ToVector(nn.Module):
    """The deepest maps (N, width, *deepest), flattened, to a vector (N, length)."""

    def __init__(self, width: int, deepest: Sequence[int], length: int) -> None:
        super().__init__()
        self.dense = nn.Linear(flat_length(width, deepest), length)

    def forward(self, maps: Tensor) -> Tensor:
        """One dense layer."""
        vector: Tensor = self.dense(maps.flatten(1))
        return vector


class FromVector(nn.Module):
    """A vector (N, length) to maps (N, width, *deepest): dense layer -> ReLU."""

    def __init__(self, length: int, width: int, deepest: Sequence[int]) -> None:
        super().__init__()
        self.shape = (width, *deepest)
        self.dense = nn.Linear(length, flat_length(width, deepest))

    def forward(self, vector: Tensor) -> Tensor:
        """Maps to begin decoding with."""
        maps: Tensor = torch.relu(self.dense(vector)).unflatten(1, self.shape)
        return maps
