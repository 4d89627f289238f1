"""Barlow Twins: each dimension agrees between two views of a scan, and no two say the same."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.base import Objective, projection
from latentdx.autoencoder.objectives.views import pooled_views

Vectors = Float[Tensor, "batch dim"]


@final
class BarlowTwins(Objective):
    """The pooled deepest layers of two augmented views, projected, under `barlow_twins`."""

    weight: ClassVar[float] = 0.5

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.projection = projection(self.pooled_width(network), 512)

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        pooled = pooled_views(network, pixels, generator)
        first, second = self.projection(pooled).chunk(2)
        return {"barlow": barlow_twins(first, second)}


def barlow_twins(first: Vectors, second: Vectors, *, redundancy: float = 0.005) -> Tensor:
    """How far the correlations between two views' dimensions are from the identity matrix.

        1/D [ sum_i (1 - c_ii)^2 + redundancy * sum_{i != j} c_ij^2 ]

    c is the correlation over the batch of dimension i of the first and j of the second view. At
    most about 1 + redundancy D. Computed in 32 bits. Zbontar, Jing, Misra, LeCun & Deny, "Barlow
    Twins: self-supervised learning via redundancy reduction", ICML 2021; divided by D here.

    Examples
    --------
    >>> vectors = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    >>> bool(barlow_twins(vectors, 2 * vectors + 1) < barlow_twins(vectors, vectors.flip(0)))
    True
    """
    with torch.autocast(first.device.type, enabled=False):
        crossed = _standardised(first.float()).T @ _standardised(second.float()) / len(first)
        agreement = crossed.diagonal()
        off_diagonal = crossed.pow(2).sum() - agreement.pow(2).sum()
        loss: Tensor = ((1 - agreement).pow(2).sum() + redundancy * off_diagonal) / len(crossed)
        return loss


def _standardised(vectors: Tensor) -> Tensor:
    centred = vectors - vectors.mean(dim=0)
    return centred / torch.sqrt(centred.pow(2).mean(dim=0) + 1e-5)
