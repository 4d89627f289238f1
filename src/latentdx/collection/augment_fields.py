"""Smooth random fields over a scan: cubic B-splines between a few control points.

    field(x) = sum_i c_i B(x - i)       along each axis in turn

Four points an axis span the cubic polynomials, seven a field with some detail. The field stays
within the largest and smallest control point. Rueckert et al., "Nonrigid registration using
free-form deformations", IEEE TMI 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


def smooth_field(
    control: Float[Tensor, "batch kind *points"], size: Sequence[int]
) -> Float[Tensor, "batch kind *spatial"]:
    """The field (N, K, *size) of control points (N, K, *points), at least four along each axis.

    Examples
    --------
    >>> smooth_field(torch.ones(1, 2, 4, 4), (28, 31)).shape
    torch.Size([1, 2, 28, 31])
    """
    field = control
    for axis, side in enumerate(size, start=2):
        weights = _basis(side, control.shape[axis]).to(control)
        field = torch.movedim(torch.movedim(field, axis, -1) @ weights, -1, axis)
    return field


@lru_cache(maxsize=64)
def _basis(side: int, points: int) -> Tensor:
    """(points, side): how much each control point counts at the middle of each pixel."""
    place = (torch.arange(side, dtype=torch.float64) + 0.5) / side * (points - 3)
    cell = place.floor().clamp(max=points - 4)
    t = place - cell
    cubics = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    weights = torch.zeros(points, side, dtype=torch.float64)
    rows = cell.long() + torch.arange(4)[:, None]
    return weights.scatter_(0, rows, torch.stack(cubics) / 6).float()
