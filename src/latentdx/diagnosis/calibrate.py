"""Probabilities from scores, fitted on the ``calibrate`` part alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Scores = NDArray[np.float32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FLATTEST = 0.01  # slope by standard deviation of the scores: their order is never lost


@dataclass(frozen=True)
class SigmoidCalibration:
    """P = 1 / (1 + exp(-(slope * score + offset))), a pair for each question.

    Platt, "Probabilities for SV machines", 1999, with his smoothed targets, which keep a small
    part from promising certainty. For K > 2 the K probabilities are divided by their sum.
    """

    slopes: Floats
    offsets: Floats

    @classmethod
    def fit(cls, scores: Scores, labels: Ints) -> SigmoidCalibration:
        """From scores (N, Q) and labels int (N,) in 0..K-1 (Q is 1 for K = 2, else K)."""
        fitted = [fit_sigmoid(column, own) for column, own in questions(scores, labels)]
        slopes, offsets = np.array(fitted).T
        return cls(slopes, offsets)

    def probabilities(self, scores: Scores) -> Floats:
        """(N, Q) to (N, K), rows that sum to 1."""
        return by_class(expit(scores.astype(np.float64) * self.slopes + self.offsets))


def questions(scores: Scores, labels: Ints) -> list[tuple[Floats, NDArray[np.bool_]]]:
    """For each of Q questions its scores float64 (N,) and whether its class is the label (N,)."""
    asked = [1] if scores.shape[1] == 1 else range(scores.shape[1])
    columns = scores.astype(np.float64).T
    return [(column, labels == k) for k, column in zip(asked, columns, strict=True)]


def by_class(found: Floats) -> Floats:
    """Probabilities of Q questions (N, Q) as those of K classes (N, K), rows that sum to 1.

    Examples
    --------
    >>> by_class(np.array([[0.2]])).tolist(), by_class(np.array([[0.2, 0.2]])).tolist()
    ([[0.8, 0.2]], [[0.5, 0.5]])
    """
    if found.shape[1] == 1:
        return np.concatenate([1 - found, found], axis=1)
    table: Floats = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)
    return table


def smoothed(positive: NDArray[np.bool_]) -> Floats:
    """Platt's targets (N,) in place of 0 and 1: a Bayesian's, who saw one scan more of each class.

    Examples
    --------
    >>> smoothed(np.array([True, True, False])).round(3).tolist()
    [0.75, 0.75, 0.333]
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    high, low = (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2)
    return np.where(positive, high, low)


def fit_sigmoid(scores: Floats, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """(slope, offset) of the largest likelihood; a higher score is always likelier."""
    from scipy.optimize import minimize  # fitting only: a prediction starts without it

    target = smoothed(positive)
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    scaled = (scores - centre) / spread

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logit = parameters[0] * scaled + parameters[1]
        value = np.logaddexp(0, logit) - target * logit
        error = expit(logit) - target
        return float(value.sum()), np.array([(error * scaled).sum(), error.sum()])

    found = minimize(
        loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(FLATTEST, 50), (-50, 50)]
    )
    slope = float(found.x[0]) / spread
    return slope, float(found.x[1]) - slope * centre
