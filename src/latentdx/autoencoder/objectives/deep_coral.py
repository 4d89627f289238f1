"""Deep CORAL: features of all domains have the same mean and the same covariance.

    mean over pairs of domains a, b of   |m_a - m_b|^2 / D  +  |C_a - C_b|^2 / (4 D^2)

m and C are mean and covariance, over a batch, of the D features of a domain's scans. The source
has the second term alone: it does not see a shift that is the same for all scans.
"""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.domains import Codes, Described, DomainObjective, described

_FEWEST = 4  # scans of a domain in a batch: fewer have no covariance to speak of


@final
class DeepCoral(DomainObjective):
    """`coral` of `described` over the domains of a batch.

    Sun & Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV workshops
    2016; the term of the means is ours.
    """

    weight: ClassVar[float] = 1.0

    @override
    def losses(self, network: Autoencoder, pixels: Images, domains: Codes) -> dict[str, Tensor]:
        features = described(network, pixels)
        return {"deep-coral": coral(features, domains, self.n_domains)}


def coral(features: Described, domains: Codes, n_domains: int) -> Tensor:
    """How far means and covariances of domains lie apart, mean over pairs; computed in 32 bits.

    0 where fewer than two domains have four scans in the batch.

    Examples
    --------
    >>> features = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    >>> domains = torch.arange(64) % 2
    >>> moved = features + 2.0 * domains[:, None]
    >>> float(coral(features, domains, 2)) < 0.2, float(coral(moved, domains, 2)) > 3.0
    (True, True)
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        groups = [features[domains == code] for code in range(n_domains)]
        groups = [group for group in groups if len(group) >= _FEWEST]
        if len(groups) < 2:
            return 0 * features.sum()
        width = features.shape[1]
        means = torch.stack([group.mean(dim=0) for group in groups])
        covariances = torch.stack([_covariance(group) for group in groups])
        return _apart(means) / width + _apart(covariances) / (4 * width**2)


def _covariance(group: Tensor) -> Tensor:
    centred = group - group.mean(dim=0)
    return centred.T @ centred / (len(group) - 1)


def _apart(values: Tensor) -> Tensor:
    """The mean over pairs of rows of their squared distance, by way of the rows' mean."""
    return 2 * (values - values.mean(dim=0)).square().sum() / (len(values) - 1)
