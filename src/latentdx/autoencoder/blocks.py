"""The same layers for images and volumes: `dims` is 2 or 3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_BATCH_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}


def convolution(
    dims: int, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, bias: bool = True
) -> nn.Module:
    """A convolution that keeps the size (but for its stride); `kernel` is odd."""
    return _CONVOLUTION[dims](
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias
    )


def batch_norm(dims: int, channels: int) -> nn.Module:
    """Batch normalisation (Ioffe & Szegedy, ICML 2015)."""
    return _BATCH_NORM[dims](channels)


def convolution_block(dims: int, inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """Convolution 3 -> batch norm -> ReLU."""
    return nn.Sequential(
        convolution(dims, inputs, outputs, stride=stride, bias=False),
        batch_norm(dims, outputs),
        nn.ReLU(inplace=True),
    )


def max_pooled(maps: Tensor) -> Tensor:
    """The maximum of every 2 x 2 (x 2); an odd border makes a pool of its own."""
    pool = functional.max_pool2d if maps.ndim == 4 else functional.max_pool3d
    found: Tensor = pool(maps, 2, ceil_mode=True)
    return found


def enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Nearest-neighbour interpolation to `size`."""
    return functional.interpolate(maps, size=tuple(size), mode="nearest")


def enlarged_convolution(layer: nn.Module, maps: Tensor, size: Sequence[int]) -> Tensor:
    """``layer(enlarged(maps, size))`` of a convolution with a 3 x 3 kernel, at less cost.

    Twice as large, four neighbours are equal, so that the nine taps fall on four different pixels:
    a transposed convolution of stride 2 whose 4 x 4 kernel sums those that coincide. Of volumes,
    and of odd sizes, as it is written.
    """
    doubled = tuple(2 * side for side in maps.shape[2:]) == tuple(size)
    if not (doubled and isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)):
        found: Tensor = layer(enlarged(maps, size))
        return found
    taps = layer.weight.flip(2, 3).transpose(0, 1)
    moves = ((0, 1, 0, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 0))
    kernel = torch.stack([functional.pad(taps, move) for move in moves]).sum(dim=0)
    return functional.conv_transpose2d(maps, kernel, layer.bias, stride=2, padding=1)


def unshuffled(pixels: Tensor) -> Tensor:
    """(N, C, 2h, 2w[, 2d]) -> (N, 4C or 8C, h, w[, d]): each pixel of a cell becomes a channel.

    Odd sides are padded at their end by one, repeating the border. Shi et al., CVPR 2016.
    """
    odd = [side % 2 for side in pixels.shape[2:]]
    if any(odd):
        ends = [extra for side in reversed(odd) for extra in (0, side)]
        pixels = functional.pad(pixels, ends, mode="replicate")
    if pixels.ndim == 4:
        return functional.pixel_unshuffle(pixels, 2)
    return _cells_to_channels(pixels)


def shuffled(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Undo `unshuffled`: back to the spatial `size`."""
    pixels = functional.pixel_shuffle(maps, 2) if maps.ndim == 4 else _channels_to_cells(maps)
    for axis, side in enumerate(size, 2):
        pixels = pixels.narrow(axis, 0, side)
    return pixels


def _cells_to_channels(pixels: Tensor) -> Tensor:
    count, channels, *sides = pixels.shape
    a, b, c = (side // 2 for side in sides)
    cells = pixels.reshape(count, channels, a, 2, b, 2, c, 2)
    return cells.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(count, 8 * channels, a, b, c)


def _channels_to_cells(maps: Tensor) -> Tensor:
    count, channels, a, b, c = maps.shape
    cells = maps.reshape(count, channels // 8, 2, 2, 2, a, b, c)
    order = cells.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return order.reshape(count, channels // 8, 2 * a, 2 * b, 2 * c)


def laid_out(network: Any) -> Any:
    """Channels last in memory for every convolution: the fastest layout on CPU and GPU.

    One layout for all, trained or loaded: convolutions then round alike.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        elif isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


def batch_laid_out(pixels: Tensor) -> Tensor:
    """The same layout for a batch (N, C, *spatial)."""
    layout = torch.channels_last if pixels.ndim == 4 else torch.channels_last_3d
    return pixels.contiguous(memory_format=layout)


def flat_length(channels: int, size: Sequence[int]) -> int:
    """Numbers in one map (channels, *size)."""
    return channels * math.prod(size)
