"""What a network that learns from labels minimises, by name, and how classes weigh in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from latentdx.core.errors import StopError
from latentdx.diagnosis.loss_balanced_softmax import balanced_softmax
from latentdx.diagnosis.loss_cross_entropy import cross_entropy
from latentdx.diagnosis.loss_focal import focal
from latentdx.diagnosis.loss_logit_adjusted import logit_adjusted

LossName = Literal["cross-entropy", "focal", "logit-adjusted", "balanced-softmax"]
ClassWeights = Literal["balanced", "none"]

_OWN: dict[LossName, float | None] = {
    "cross-entropy": None,
    "focal": 2.0,
    "logit-adjusted": 1.0,
    "balanced-softmax": None,
}
"""The number that a loss has, where it has one: gamma of `focal`, tau of `logit-adjusted`."""

_FORMS = "cross-entropy, focal, focal=GAMMA, logit-adjusted, logit-adjusted=TAU or balanced-softmax"


@dataclass(frozen=True)
class LabelLoss:
    """A loss by name, with its number, and whether classes weigh the same in it.

    The two losses that know the classes' shares need no weights and take none.
    """

    name: LossName = "cross-entropy"
    number: float | None = None
    class_weights: ClassWeights = "balanced"

    @property
    def words(self) -> str:
        """What `parse_loss` makes it of."""
        return self.name if self.number == _OWN[self.name] else f"{self.name}={self.number:g}"

    @property
    def knows_shares(self) -> bool:
        """Whether the loss itself sets right how often classes are seen."""
        return self.name in ("logit-adjusted", "balanced-softmax")

    def __call__(self, logits: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
        """The mean loss of logits (B, K), labels (B,) and the classes' shares (K,) as sampled."""
        if self.name == "logit-adjusted":
            return logit_adjusted(logits, labels, shares, self.number or 0.0).mean()
        if self.name == "balanced-softmax":
            return balanced_softmax(logits, labels, shares).mean()
        if self.name == "focal":
            losses = focal(logits, labels, self.number or 0.0)
        else:
            losses = cross_entropy(logits, labels)
        return (losses * self.weights(shares)[labels]).mean()

    def weights(self, shares: Tensor) -> Tensor:
        """Weights (K,) by class; where balanced, each class has the same sum of them."""
        if self.class_weights == "none":
            return torch.ones_like(shares)
        return 1 / (len(shares) * shares.clamp(min=1e-6))

    def balancing(self, shares: Tensor) -> Tensor:
        """What is taken from logits (K,) afterwards, so that 0 says that classes are alike likely.

        Nothing where classes weighed the same while it learned; else the logarithms of shares.
        """
        balanced = self.knows_shares or self.class_weights == "balanced"
        return torch.zeros_like(shares) if balanced else shares.clamp(min=1e-6).log()


def parse_loss(text: str, class_weights: ClassWeights = "balanced") -> LabelLoss:
    """A loss from its words. Raises `StopError` ``E_OPTION``.

    Examples
    --------
    >>> parse_loss("focal"), parse_loss("logit-adjusted=0.5").number
    (LabelLoss(name='focal', number=2.0, class_weights='balanced'), 0.5)
    """
    given, mark, value = text.partition("=")
    for name, own in _OWN.items():
        if given == name and not mark:
            return LabelLoss(name, own, class_weights)
        if given == name and own is not None and (number := _number(value)) is not None:
            return LabelLoss(name, number, class_weights)
    raise StopError("E_OPTION", f"{text!r} is no loss", fix=f"give {_FORMS}")


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found <= 10 else None
