"""Machines that are one matrix: logistic regression, the linear SVM, prototypes."""

from __future__ import annotations

from dataclasses import dataclass

from latentdx.diagnosis.machine import Floats


@dataclass(frozen=True)
class Linear:
    """x . w + b: `weights` (Q, D), `intercepts` (Q,)."""

    weights: Floats
    intercepts: Floats

    def scores(self, features: Floats) -> Floats:
        """Log-odds or distances, by what it was fitted as, (N, Q)."""
        found: Floats = features @ self.weights.T + self.intercepts
        return found
