"""The machine with a hidden layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentdx.diagnosis.machine import Floats


@dataclass(frozen=True)
class Perceptron:
    """max(0, x . U + c) . W + b: a network with one hidden layer of H units.

    Rumelhart, Hinton & Williams, Nature 323, 1986. `hidden_weights` (D, H), `hidden_intercepts`
    (H,), `weights` (H, Q), `intercepts` (Q,).
    """

    hidden_weights: Floats
    hidden_intercepts: Floats
    weights: Floats
    intercepts: Floats

    def scores(self, features: Floats) -> Floats:
        """Log-odds of each class against the others, (N, Q)."""
        hidden = np.maximum(features @ self.hidden_weights + self.hidden_intercepts, 0)
        logits: Floats = hidden @ self.weights + self.intercepts
        return logits if logits.shape[1] == 1 else log_odds(logits)


def log_odds(logits: Floats) -> Floats:
    """log(p / (1 - p)), (N, K), of the softmax of logits (N, K).

    Examples
    --------
    >>> log_odds(np.log(np.float32([[1, 2, 1]]))).round(3).tolist()
    [[-1.0989999771118164, 0.0, -1.0989999771118164]]
    """
    columns = [
        logits[:, k] - np.logaddexp.reduce(np.delete(logits, k, axis=1), axis=1)
        for k in range(logits.shape[1])
    ]
    found: Floats = np.stack(columns, axis=1).astype(np.float32)
    return found
