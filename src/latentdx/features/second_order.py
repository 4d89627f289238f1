"""Covariance pooling: which channels of a layer rise and fall together over a scan."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from latentdx.core.seeds import derive_seed

_WIDTH = 32  # channels that are left: 528 numbers a layer
_STEPS = 7
_SMALLEST = 1e-4  # of the sum of the eigenvalues, which is 1


def covariance_root(
    maps: Float[Tensor, "batch channel *spatial"],
) -> Float[Tensor, "batch numbers"]:
    """The upper triangle of the square root of the channels' covariance over places.

    More than 32 channels are mixed down to 32 first, by random signs that never change
    (Achlioptas, Journal of Computer and System Sciences 66, 2003). The root is computed by Newton
    and Schulz's iteration of the covariance divided by its trace, and scaled back: iSQRT-COV, Li et
    al., "Towards Faster Training of Global Covariance Pooling Networks by Iterative Matrix Square
    Root Normalization", CVPR 2018. The root keeps the few largest directions from drowning the
    others. Of directions that hold a fiftieth of the trace or more it is right to .2 %; of smaller
    ones, mostly noise, it is too small.

    Examples
    --------
    >>> maps = torch.stack([torch.tensor([-2.0, 2.0]), torch.tensor([3.0, 3.0])])[None]
    >>> covariance_root(maps).round(decimals=1).tolist()
    [[2.0, 0.0, 0.0]]
    """
    flat = maps.float().flatten(2)
    if flat.shape[1] > _WIDTH:
        flat = torch.from_numpy(_signs(flat.shape[1])).to(flat.device) @ flat
    centred = flat - flat.mean(dim=2, keepdim=True)
    covariance = centred @ centred.transpose(1, 2) / centred.shape[2]
    root = _root(covariance)
    upper = torch.triu_indices(*root.shape[1:], device=root.device)
    return root[:, upper[0], upper[1]]


def _root(matrices: Tensor) -> Tensor:
    """Square roots (N, M, M) of matrices (N, M, M), symmetric and without negative eigenvalues."""
    trace = matrices.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None] + 1e-9
    unit = torch.eye(matrices.shape[1], device=matrices.device)
    root = matrices / trace + _SMALLEST * unit
    inverse = unit.expand_as(root)
    for _ in range(_STEPS):
        step = (3 * unit - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    return root * trace.sqrt()


@cache
def _signs(n_channels: int) -> NDArray[np.float32]:
    """(32, C) of signs over the root of C: bits of a generator whose stream is promised to stay."""
    bits = np.random.PCG64(derive_seed(0, "signs", n_channels)).random_raw(_WIDTH * n_channels)
    signs = (bits & np.uint64(1)).astype(np.float32) * 2 - 1
    found: NDArray[np.float32] = (signs / np.sqrt(np.float32(n_channels))).reshape(_WIDTH, -1)
    return found
