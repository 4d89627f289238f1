"""A scan at another scale, for networks that take one size only."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def repeated_half(pixels: Tensor) -> Tensor:
    """Scans (N, C, *spatial) at half their size, repeated along each axis to fill them again.

    Sides are rounded up, and the repetition is cut: the shape stays.

    Examples
    --------
    >>> import torch
    >>> repeated_half(torch.tensor([[[[0.0, 2.0, 4.0, 6.0]] * 4]]))[0, 0, 0].tolist()
    [1.0, 5.0, 1.0, 5.0]
    """
    sides = pixels.shape[2:]
    halves = [-(-side // 2) for side in sides]
    small = functional.interpolate(pixels, size=halves, mode="area")
    whole = small.repeat(1, 1, *(2 for _ in sides))
    for axis, side in enumerate(sides, start=2):
        whole = whole.narrow(axis, 0, side)
    return whole.contiguous()
