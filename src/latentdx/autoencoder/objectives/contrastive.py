"""SimCLR: a view of a scan is closer to the scan's other view than to any other scan's."""

from __future__ import annotations

from typing import ClassVar, final

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
class Contrastive(Objective):
    """The pooled deepest layers of two augmented views, projected, under `nt_xent`.

    The other scans are those of the same process's batch: large batches make it harder and better.
    """

    weight: ClassVar[float] = 0.1

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.projection = projection(self.pooled_width(network), 128)

    @override
    def losses(
        self, network: Autoencoder, pixels: Images, generator: torch.Generator
    ) -> dict[str, Tensor]:
        pooled = pooled_views(network, pixels, generator)
        first, second = self.projection(pooled).chunk(2)
        return {"contrastive": nt_xent(first, second)}


def nt_xent(first: Vectors, second: Vectors, *, temperature: float = 0.2) -> Tensor:
    """Cross-entropy of finding a view's partner among the 2N - 1 others by cosine similarity.

    log(2N - 1) where all are alike. Computed in 32 bits. Chen, Kornblith, Norouzi & Hinton, "A
    simple framework for contrastive learning of visual representations", ICML 2020.

    Examples
    --------
    >>> round(float(nt_xent(torch.ones(4, 2), torch.ones(4, 2)).exp()), 3)
    7.0
    """
    with torch.autocast(first.device.type, enabled=False):
        vectors = torch.cat([first, second]).float()
        # not functional.normalize: its gradient is huge near zero
        units = vectors / torch.sqrt(vectors.pow(2).sum(dim=1, keepdim=True) + 1e-6)
        itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
        similarity = (units @ units.T / temperature).masked_fill(itself, -torch.inf)
        partner = torch.arange(len(units), device=units.device).roll(len(first))
        return functional.cross_entropy(similarity, partner)
