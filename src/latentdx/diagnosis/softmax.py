"""A multinomial logistic regression for few rows, fitted without scikit-learn's two seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Table = NDArray[np.float64]


@dataclass(frozen=True)
class Softmax:
    """Probabilities proportional to exp(w_k x + b_k): `weights` (K, D), `intercepts` (K,).

    A class without rows has the intercept minus infinity: it is never likely.
    """

    weights: Table
    intercepts: Table

    @classmethod
    def fit(cls, features: Floats, labels: Ints, n_classes: int, strength: float) -> Softmax:
        """The weights of the least mean log-loss, every class weighing the same, + |w|^2 / 2CN.

        `strength` is C; intercepts are not shrunk. The objective is that of scikit-learn's
        ``LogisticRegression(C, class_weight="balanced")``; minimised by L-BFGS (Liu & Nocedal,
        1989). With two classes its C is twice as large: it has one row of weights, here are two.

        Examples
        --------
        >>> rows = np.array([[0.0], [1.0], [3.0], [4.0]], np.float32)
        >>> model = Softmax.fit(rows, np.array([0, 0, 1, 1]), 2, 1.0)
        >>> model.probabilities(np.array([[2.0]], np.float32)).round(3).tolist()
        [[0.5, 0.5]]
        """
        from scipy.optimize import minimize

        seen, targets = np.unique(labels, return_inverse=True)
        rows = np.column_stack([features.astype(np.float64), np.ones(len(features))])
        shape = (len(seen), rows.shape[1])
        wanted = np.eye(len(seen))[targets]
        shares = wanted / (wanted.sum(axis=0) * len(seen))  # of each row in the mean

        def loss(flat: Table) -> tuple[float, Table]:
            weights = flat.reshape(shape)
            logs = _log_softmax(rows @ weights.T)
            shrunk = weights.copy()
            shrunk[:, -1] = 0
            shrunk /= strength * len(rows)
            gradient = (np.exp(logs) * shares.sum(axis=1)[:, None] - shares).T @ rows + shrunk
            return float((shrunk * weights).sum() / 2 - (shares * logs).sum()), gradient.ravel()

        options: Any = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7}
        start: Any = np.zeros(shape).ravel()
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
        best = found.x.reshape(shape)
        weights, intercepts = np.zeros((n_classes, shape[1] - 1)), np.full(n_classes, -np.inf)
        weights[seen], intercepts[seen] = best[:, :-1], best[:, -1]
        return cls(weights, intercepts)

    def probabilities(self, features: Floats) -> Table:
        """(N, K) of features (N, D)."""
        scores = features.astype(np.float64) @ self.weights.T + self.intercepts
        found: Table = np.exp(_log_softmax(scores))
        return found


def _log_softmax(scores: Table) -> Table:
    lower = scores - scores.max(axis=1, keepdims=True)
    found: Table = lower - np.log(np.exp(lower).sum(axis=1, keepdims=True))
    return found
