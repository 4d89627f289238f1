"""VICReg: what does not change between two views of a scan, without collapse."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.base import Objective, projection
from latentdx.autoencoder.objectives.views import pooled_views

Vectors = Float[Tensor, "batch dim"]


@final
class VicReg(Objective):
    """The pooled deepest layers of two augmented views, projected, under `vicreg`."""

    weight = 0.2

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.projection = projection(self.pooled_width(network), 512)

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        pooled = pooled_views(network, pixels, generator)
        first, second = self.projection(pooled).chunk(2)
        return {"vicreg": vicreg(first, second)}


WEIGHTS = (25.0, 25.0, 1.0)
"""Of the invariance, variance and covariance terms, as the source has them."""


def vicreg(
    first: Vectors, second: Vectors, *, weights: tuple[float, float, float] = WEIGHTS
) -> Tensor:
    """VICReg: two views of a scan agree, each dimension varies, no two dimensions repeat.

    ``weights`` are those of the invariance, variance and covariance terms. Computed in 32 bits.
    Bardes, Ponce & LeCun, "VICReg: variance-invariance-covariance regularization for
    self-supervised learning", ICLR 2022.

    Examples
    --------
    >>> vectors = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    >>> bool(vicreg(vectors, vectors) < vicreg(vectors, vectors.flip(0)))
    True
    """
    invariance, variance, covariance = weights
    # under autocast the product of a matrix with itself would be rounded
    with torch.autocast(first.device.type, enabled=False):
        first, second = first.float(), second.float()
        loss = invariance * functional.mse_loss(first, second)
        for vectors in (first, second):
            varied, repeated = spread(vectors)
            loss = loss + variance / 2 * varied + covariance * repeated
    return loss


def spread(vectors: Vectors) -> tuple[Tensor, Tensor]:
    """The terms against collapse: each dimension varies, no two dimensions repeat each other."""
    return _variance_hinge(vectors), _redundancy(vectors)


def _variance_hinge(vectors: Tensor) -> Tensor:
    return functional.relu(1 - torch.sqrt(vectors.var(dim=0) + 1e-4)).mean()


def _redundancy(vectors: Tensor) -> Tensor:
    count, dim = vectors.shape
    centred = vectors - vectors.mean(dim=0)
    covariance = centred.T @ centred / max(count - 1, 1)
    off_diagonal = covariance.pow(2).sum() - covariance.diagonal().pow(2).sum()
    return off_diagonal / dim
