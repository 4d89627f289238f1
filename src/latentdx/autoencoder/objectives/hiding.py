"""Blocks of a scan that are hidden from the encoder: several a scan, of several sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_BLOCKS = 4
_SMALLEST, _LARGEST = 0.05, 0.25  # of the scan's area or volume
_LONGER = 0.4  # logarithm of how much longer a side may be than the others on average


class Blocks(NamedTuple):
    """Where blocks begin and end along each axis, as shares of the side: (N, blocks, dims) each."""

    low: Float[Tensor, "batch block axis"]
    high: Float[Tensor, "batch block axis"]

    def to(self, device: torch.device) -> Blocks:
        """The same on another device."""
        return Blocks(self.low.to(device), self.high.to(device))


def draw_blocks(count: int, dims: int, generator: torch.Generator) -> Blocks:
    """Four blocks for each of `count` scans, each of 5 to 25 % of it; they may overlap.

    Examples
    --------
    >>> blocks = draw_blocks(3, 2, torch.Generator().manual_seed(0))
    >>> blocks.low.shape, bool((blocks.high <= 1).all())
    (torch.Size([3, 4, 2]), True)
    """
    size = torch.rand(count, _BLOCKS, 1, generator=generator)
    extent = math.log(_SMALLEST) + size * (math.log(_LARGEST) - math.log(_SMALLEST))
    longer = (torch.rand(count, _BLOCKS, dims, generator=generator) * 2 - 1) * _LONGER
    longer = longer - longer.mean(dim=2, keepdim=True)  # the volume stays
    sides = torch.exp(extent / dims + longer).clamp(max=1)
    low = torch.rand(count, _BLOCKS, dims, generator=generator) * (1 - sides)
    return Blocks(low, low + sides)


def hidden_pixels(blocks: Blocks, size: Sequence[int]) -> Bool[Tensor, "batch 1 *spatial"]:
    """Which pixels of a scan of this `size` lie (by their middle) in a block, (N, 1, *size).

    Examples
    --------
    >>> block = Blocks(torch.tensor([[[0.0, 0.5]]]), torch.tensor([[[0.5, 1.0]]]))
    >>> hidden_pixels(block, (2, 4)).int().tolist()
    [[[[0, 0, 1, 1], [0, 0, 0, 0]]]]
    """
    count, number, dims = blocks.low.shape
    hidden = torch.zeros((count, *size), dtype=torch.bool, device=blocks.low.device)
    for block in range(number):
        inside = torch.ones_like(hidden)
        for axis, side in enumerate(size):
            middles = (torch.arange(side, device=hidden.device) + 0.5) / side
            low, high = (ends[:, block, axis, None] for ends in blocks)
            along = (middles >= low) & (middles < high)
            inside &= along.reshape(count, *(side if i == axis else 1 for i in range(dims)))
        hidden |= inside
    return hidden.unsqueeze(1)
