"""Domain-adversarial: a classifier learns to tell domains apart, and the encoder to prevent it.

    classifier:  min  L = mean over the batch's domains of the cross-entropy of its scans
    encoder:     min  -s L    s = 2 / (1 + exp(-10 p)) - 1,  p the share of training done;
                              s = 0 while the classifier does no better than chance

The classifier is linear, kept small, and takes several steps down its own gradient on every batch:
one that learns with the encoder is outrun by it, and one that is sure of itself has no gradient.
The encoder's gradient comes through it, reversed.
"""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
from torch import Tensor, distributed
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images
from latentdx.autoencoder.objectives.domains import (
    Codes,
    Described,
    DomainObjective,
    described,
    described_width,
)

_STEEP = 10.0
_STEPS = 10  # of the classifier on a batch
_DECAY = 0.3


@final
class DomainAdversarial(DomainObjective):
    """A linear classifier of `described`, and the reverse of its gradient for the encoder.

    Its term is what the classifier can tell: log(domains) less the cross-entropy, 0 where that is
    not positive. Rare domains count as much as common ones.

    Ganin & Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015. There the
    classifier has hidden layers and shares the encoder's optimizer, and the encoder learns from
    labels; here from reconstruction and what else is asked of it.
    """

    weight: ClassVar[float] = 5.0
    classifier: Tensor

    def __init__(self, network: Autoencoder, n_domains: int) -> None:
        super().__init__(network, n_domains)
        # not a parameter: it is not the optimizer's
        self.register_buffer("classifier", torch.zeros(described_width(network), n_domains))

    @override
    def losses(self, network: Autoencoder, pixels: Images, domains: Codes) -> dict[str, Tensor]:
        features = described(network, pixels)
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            if network.training:
                self.learn(features.detach(), domains)
            classifier = self.classifier.clone()  # it learns again before the gradient is taken
            error = balanced_cross_entropy(features @ classifier, domains)
        told = torch.relu(math.log(self.n_domains) - error.detach()) * (domains >= 0).any()
        reverse = strength(network.progress) * (told > 0)
        # the value of the one, the gradient of the other
        return {"domain-told": told - reverse * (error - error.detach())}

    @torch.no_grad()
    def learn(self, features: Described, domains: Codes) -> None:
        """Steps down the gradient of the classifier's cross-entropy on a batch.

        Of several processes all have the mean of what each of them has learned.
        """
        known = domains >= 0
        codes, seen = domains[known], features[known]
        counts = torch.bincount(codes, minlength=self.n_domains)
        shares = 1 / (counts[codes] * (counts > 0).sum())
        wanted = functional.one_hot(codes, self.n_domains)
        rate = 2 / (1 + shares @ seen.square().sum(dim=1))  # at most 1 / the largest curvature
        for _ in range(_STEPS if len(codes) else 0):
            off = torch.softmax(seen @ self.classifier, dim=1) - wanted
            slope = seen.T @ (shares[:, None] * off) + _DECAY * self.classifier
            self.classifier -= rate * slope
        if distributed.is_initialized():
            distributed.all_reduce(self.classifier)
            self.classifier /= distributed.get_world_size()


def strength(progress: float) -> float:
    """How much of the gradient is reversed: from 0 at the beginning of a training to 1.

    Examples
    --------
    >>> [round(strength(progress), 2) for progress in (0.0, 0.1, 0.5, 1.0)]
    [0.0, 0.46, 0.99, 1.0]
    """
    return 2 / (1 + math.exp(-_STEEP * progress)) - 1


def balanced_cross_entropy(logits: Tensor, domains: Codes) -> Tensor:
    """Mean over the domains of a batch of the mean cross-entropy of their scans; -1 is left out.

    Examples
    --------
    >>> logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0], [5.0, -5.0]])
    >>> round(float(balanced_cross_entropy(logits, torch.tensor([0, 0, 1, -1]))), 3)
    0.693
    """
    known = domains >= 0
    codes = domains[known]
    counts = torch.bincount(codes, minlength=logits.shape[1])
    each = functional.cross_entropy(logits[known], codes, reduction="none")
    return (each / counts[codes]).sum() / (counts > 0).sum().clamp(min=1)
