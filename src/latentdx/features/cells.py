"""Means of a layer in the cells of a coarse grid: what lies roughly where."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_CELLS, _CELLS_OF_VOLUMES = 3, 2  # a side: 9 cells of an image, 8 of a volume


def cell_means(
    maps: Float[Tensor, "batch channel *spatial"],
) -> Float[Tensor, "batch numbers"]:
    """Means in 3 x 3 cells of images, in 2 x 2 x 2 of volumes: (N, 9 C) or (N, 8 C).

    Means over the whole scan do not tell an opacity at the base of a lung from one at its apex, and
    a small lesion is lost in them. Cells overlap by a pixel where the side is no multiple of them.
    The lowest useful level of a spatial pyramid (Lazebnik, Schmid & Ponce, CVPR 2006), over learned
    maps.

    Examples
    --------
    >>> import torch
    >>> cell_means(torch.arange(36.0).reshape(1, 1, 6, 6))[0, :3].tolist()
    [3.5, 5.5, 7.5]
    >>> cell_means(torch.zeros(2, 5, 4, 4, 4)).shape
    torch.Size([2, 40])
    """
    if maps.ndim == 5:
        return functional.adaptive_avg_pool3d(maps, _CELLS_OF_VOLUMES).flatten(1)
    return functional.adaptive_avg_pool2d(maps, _CELLS).flatten(1)
