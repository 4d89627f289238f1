"""Scans as patches: cut, put together again, and where each patch lies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def patch_side(size: Sequence[int]) -> int:
    """About eight patches along the longest side; 2 to 16 pixels.

    Examples
    --------
    >>> patch_side((28, 28)), patch_side((64, 64)), patch_side((224, 224))
    (4, 8, 16)
    """
    return min(16, max(2, math.ceil(max(size) / 8)))


def padded(pixels: Tensor, patch: int) -> Tensor:
    """(N, C, *size) with borders repeated at their ends, up to multiples of `patch`.

    Examples
    --------
    >>> padded(torch.zeros(1, 1, 29, 32), 4).shape
    torch.Size([1, 1, 32, 32])
    """
    missing = [-side % patch for side in pixels.shape[2:]]
    if not any(missing):
        return pixels
    return functional.pad(pixels, [n for m in reversed(missing) for n in (0, m)], mode="replicate")


def to_patches(pixels: Tensor, patch: int) -> Tensor:
    """(N, C, *size) to (N, T, C * patch ** dims), patches in the grid's order."""
    count, channels, *size = pixels.shape
    dims = len(size)
    split = [number for side in size for number in (side // patch, patch)]
    grid, inside = [2 + 2 * axis for axis in range(dims)], [3 + 2 * axis for axis in range(dims)]
    ordered = pixels.reshape(count, channels, *split).permute(0, *grid, 1, *inside)
    return ordered.reshape(count, -1, channels * patch**dims)


def from_patches(patches: Tensor, patch: int, shape: Sequence[int]) -> Tensor:
    """Undo `to_patches`, and cut to `shape` (C, *size)."""
    channels, *size = shape
    dims = len(size)
    grid = [-(-side // patch) for side in size]
    cells = patches.reshape(len(patches), *grid, channels, *(patch,) * dims)
    order = [place for axis in range(dims) for place in (1 + axis, 2 + dims + axis)]
    whole = cells.permute(0, 1 + dims, *order)
    pixels = whole.reshape(len(patches), channels, *(side * patch for side in grid))
    for axis, side in enumerate(size, 2):
        pixels = pixels.narrow(axis, 0, side)
    return pixels


def sine_cosine(grid: Sequence[int], width: int) -> Tensor:
    """Positions (1, T, width) on a grid: sines and cosines of each axis, side by side.

    Frequencies go from 1 to 1/10000 a step (Vaswani et al., NeurIPS 2017); channels that the axes
    do not share evenly stay zero.
    """
    waves = width // (2 * len(grid))
    rates = 10_000.0 ** -(torch.arange(waves) / max(waves, 1))
    places = torch.meshgrid(*(torch.arange(side) for side in grid), indexing="ij")
    angles = [place.reshape(-1, 1) * rates for place in places]
    found = torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)
    return functional.pad(found, (0, width - found.shape[1]))[None]
