"""Maximum mean discrepancy: features of all domains have the same distribution.

    mean over pairs of domains a, b of   E k(x, x') + E k(y, y') - 2 E k(x, y)
    k(x, y) = mean over h of exp(-|x - y|^2 / (h s)),   s the mean squared distance in the batch

x, x' are different scans of a, y, y' of b: the unbiased estimate. With kernels of several widths it
sees more than means and covariances, which are all that `deep_coral` compares.
"""

from __future__ import annotations

from itertools import combinations
from typing import ClassVar, final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.domains import Codes, Described, DomainObjective, described

_FEWEST = 4  # scans of a domain in a batch: as in `deep_coral`
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


@final
class MeanDiscrepancy(DomainObjective):
    """`discrepancy` of `described` over the domains of a batch.

    Long, Cao, Wang & Jordan, "Learning transferable features with deep adaptation networks", ICML
    2015; there the kernels' shares are learned, here they are equal.
    """

    weight: ClassVar[float] = 5.0

    @override
    def losses(self, network: Autoencoder, pixels: Images, domains: Codes) -> dict[str, Tensor]:
        features = described(network, pixels)
        return {"mmd": discrepancy(features, domains, self.n_domains)}


def discrepancy(features: Described, domains: Codes, n_domains: int) -> Tensor:
    """The squared discrepancy, mean over pairs of domains; computed in 32 bits.

    About 0 where domains are alike, and then as often below; 0 where fewer than two domains have
    four scans in the batch.

    Examples
    --------
    >>> features = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    >>> domains = torch.arange(64) % 2
    >>> moved = features + 2.0 * domains[:, None]
    >>> abs(float(discrepancy(features, domains, 2))) < 0.02
    True
    >>> float(discrepancy(moved, domains, 2)) > 0.2
    True
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        groups = [(domains == code).nonzero()[:, 0] for code in range(n_domains)]
        groups = [rows for rows in groups if len(rows) >= _FEWEST]
        if len(groups) < 2:
            return 0 * features.sum()
        kernel = _kernel(features)
        within = [_alone(kernel[rows][:, rows]) for rows in groups]
        return torch.stack(
            [
                within[a] + within[b] - 2 * kernel[groups[a]][:, groups[b]].mean()
                for a, b in combinations(range(len(groups)), 2)
            ]
        ).mean()


def _kernel(features: Tensor) -> Tensor:
    """(N, N), mean over `WIDTHS`."""
    squares = features.square().sum(dim=1)
    gaps = (squares[:, None] + squares - 2 * features @ features.T).clamp(min=0)
    scale = gaps.detach().mean().clamp(min=1e-12)
    return torch.stack([torch.exp(-gaps / (width * scale)) for width in WIDTHS]).mean(dim=0)


def _alone(kernel: Tensor) -> Tensor:
    """The mean over pairs of two different scans."""
    count = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1))
