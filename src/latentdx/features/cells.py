"""Means of a layer in the cells of a grid: what lies roughly where."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Maps = Float[Tensor, "batch channel *spatial"]
Numbers = Float[Tensor, "batch numbers"]

_COARSE, _COARSE_OF_VOLUMES = 3, 2  # cells a side: 9 of an image, 8 of a volume
_FINE, _FINE_OF_VOLUMES = 5, 3  # 25 and 27
_FAINT = 1e-3  # below it a neighbourhood is blank


def cell_means(maps: Maps) -> Numbers:
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
    return _means(maps, _COARSE, _COARSE_OF_VOLUMES).flatten(1)


def cell_contrasts(maps: Maps) -> Numbers:
    """Means in 5 x 5 cells, by the strength of each cell's neighbourhood: (N, 25 C).

    In 3 x 3 x 3 cells of volumes: (N, 27 C). Each cell's means are divided by the root of the mean
    square, over itself and the cells around, of the length of the cells' vectors of C means. What
    is left is which patterns a place holds, whatever its contrast: the histograms of oriented
    gradients of Dalal & Triggs (CVPR 2005) with learned filters instead of gradients.

    Examples
    --------
    >>> import torch
    >>> maps = torch.rand(2, 4, 10, 10, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(cell_contrasts(maps), cell_contrasts(9 * maps), atol=1e-2)
    True
    >>> cell_contrasts(torch.zeros(2, 4, 6, 6, 6)).shape
    torch.Size([2, 108])
    """
    means = _means(maps, _FINE, _FINE_OF_VOLUMES)
    pool = functional.avg_pool3d if maps.ndim == 5 else functional.avg_pool2d
    strength = means.square().sum(dim=1, keepdim=True)
    around = pool(strength, 3, stride=1, padding=1, count_include_pad=False).sqrt()
    return (means / (around + _FAINT)).flatten(1)


def _means(maps: Maps, cells: int, cells_of_volumes: int) -> Maps:
    if maps.ndim == 5:
        return functional.adaptive_avg_pool3d(maps.float(), cells_of_volumes)
    return functional.adaptive_avg_pool2d(maps.float(), cells)
