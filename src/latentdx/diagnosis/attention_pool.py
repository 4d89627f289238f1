"""`AttentionPool`: which scans of a case its score listens to, learnt from the cases' labels.

Of the scans x_k of a case, each described by M numbers, a small network makes

    e_k = w' (tanh(V x_k + v) * sigmoid(U x_k + u)),  a = softmax(e),  score = sum_k a_k (C x_k + c)

the gated attention of Ilse, Tomczak & Welling, "Attention-based deep multiple instance learning",
ICML 2018: C applied to the mean of the scans, weighted by a, is the mean of C x_k. A case of one
scan has the weight 1, and the network is a linear classifier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class AttentionPool:
    """The network's arrays: H hidden units, M features, Q questions.

    Attributes
    ----------
    values, gates: V and U, (H, M + 1), the last column what is added. mix: w, (H,).
    linear: C, (Q, M + 1), the last column what is added.
    """

    values: Floats
    gates: Floats
    mix: Floats
    linear: Floats

    def importance(self, reduced: Floats) -> Floats:
        """e (N,) of reduced features (N, M)."""
        found: Floats = (
            np.tanh(affine(self.values, reduced)) * expit(affine(self.gates, reduced))
        ) @ self.mix
        return found

    def scores(self, reduced: Floats) -> Floats:
        """Scores (N, Q) of scans, each as if it were a case of its own."""
        return affine(self.linear, reduced)


def affine(weights: Floats, reduced: Floats) -> Floats:
    """(N, M) to (N, H) by weights (H, M + 1) whose last column is added.

    Examples
    --------
    >>> affine(np.array([[2, 1]], np.float32), np.array([[3]], np.float32)).tolist()
    [[7.0]]
    """
    found: Floats = reduced @ weights[:, :-1].T + weights[:, -1]
    return found
