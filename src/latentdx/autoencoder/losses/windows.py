"""Means over the window around each pixel."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def window_mean(maps: Tensor, window: int) -> Tensor:
    """Mean over the odd `window` around each pixel; at a border over the part of it inside.

    Maps (N, C, *spatial) keep their shape; along a side that is shorter than the window, the
    largest odd window that fits is taken.
    """
    # Axis by axis, and scans laid out as channels of one: pooling a single channel that is laid
    # out channels last takes six times as long, a window of a volume at once five times.
    pool = functional.avg_pool2d if maps.ndim == 4 else functional.avg_pool3d
    n_axes, means = maps.ndim - 2, maps.flatten(0, 1)
    for axis, side in enumerate(maps.shape[2:]):
        length = min(window, side - 1 + side % 2)
        sides = [length if each == axis else 1 for each in range(n_axes)]
        halves = [each // 2 for each in sides]
        means = pool(means, sides, stride=1, padding=halves, count_include_pad=False)
    return means.reshape(maps.shape)


def halved(maps: Tensor, least: int) -> Tensor:
    """The mean of every 2 x 2 (x 2) pixels, along the axes that keep at least `least` pixels."""
    steps = [2 if side // 2 >= least else 1 for side in maps.shape[2:]]
    pool = functional.avg_pool2d if maps.ndim == 4 else functional.avg_pool3d
    found: Tensor = pool(maps, steps)
    return found
