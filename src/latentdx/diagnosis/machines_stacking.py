"""The machine made of machines: stacking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from latentdx.diagnosis.machine import Floats, Machine


@dataclass(frozen=True)
class Stacked:
    """A weighted sum of other machines' scores: sum_p w_p s_p(x) + b, by question.

    Wolpert, Neural Networks 5, 1992. `parts`: P machines by name; `weights` (Q, P), in the
    order of the parts, `intercepts` (Q,).
    """

    parts: Mapping[str, Machine]
    weights: Floats
    intercepts: Floats

    def scores(self, features: Floats) -> Floats:
        """Log-odds (N, Q)."""
        told = np.stack([part.scores(features) for part in self.parts.values()], axis=2)
        found: Floats = (told * self.weights).sum(axis=2) + self.intercepts
        return found
