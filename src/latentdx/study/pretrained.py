"""`Pretrained`: a trained autoencoder and what is told of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.budget import Spent
from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.study.encoder import Descent


@dataclass(frozen=True)
class Pretrained:
    """The encoder, how it came to be, on how many scans; `module`: a user's own, as given.

    `descent`: what it has from the weights that it began from. `spent`: what its training
    guarantees a patient, where it was private. `alignment`, `looks`, `focus`: see
    `alignment_told`, `looks_told`, `focus_told`.
    """

    network: Autoencoder
    history: Sequence[Epoch]
    n_scans: int
    module: nn.Module | None = None
    descent: Descent = Descent()  # noqa: RUF009 - frozen
    spent: Spent | None = None
    alignment: Mapping[str, Any] = field(default_factory=dict)
    looks: Mapping[Any, float] = field(default_factory=dict)
    focus: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, Any]:
        """For the metrics."""
        found = {"alignment": self.alignment, "views": self.looks, "focus": self.focus}
        spent = {} if self.spent is None else {"privacy": self.spent.as_json()}
        return {**spent, **{name: value for name, value in found.items() if value}}
