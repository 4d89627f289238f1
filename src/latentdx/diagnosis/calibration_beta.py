"""A sigmoid with two slopes: one below the classifier's boundary and one above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from latentdx.diagnosis.calibrate import (
    FLATTEST,
    Floats,
    Ints,
    Scores,
    by_class,
    questions,
    smoothed,
)


@dataclass(frozen=True)
class BetaCalibration:
    """P = sigmoid(a ln s - b ln(1 - s) + c) of s = sigmoid(score / scale), for each question.

    Kull, Silva Filho & Flach, "Beta calibration", AISTATS 2017, of scores that are first squeezed
    into 0..1. Far below the boundary it is a sigmoid of slope a, far above one of slope b; with a
    = b it is the plain one. Both are held positive, so that the order of scans is kept. `below`,
    `above`, `offsets`, `scales`: (Q,).
    """

    below: Floats
    above: Floats
    offsets: Floats
    scales: Floats

    @classmethod
    def fit(cls, scores: Scores, labels: Ints) -> BetaCalibration:
        """From scores (N, Q) and labels int (N,) in 0..K-1 (Q is 1 for K = 2, else K)."""
        fitted = [_fit(column, own) for column, own in questions(scores, labels)]
        below, above, offsets, scales = np.array(fitted).T
        return cls(below, above, offsets, scales)

    def probabilities(self, scores: Scores) -> Floats:
        """(N, Q) to (N, K), rows that sum to 1."""
        low, high = _parts(scores.astype(np.float64) / self.scales)
        return by_class(expit(self.below * low + self.above * high + self.offsets))


def _parts(scaled: Floats) -> tuple[Floats, Floats]:
    """ln s and -ln(1 - s) of s = sigmoid(scaled)."""
    return -np.logaddexp(0, -scaled), np.logaddexp(0, scaled)


def _fit(scores: Floats, positive: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """(a, b, c, scale) of the largest likelihood, with Platt's smoothed targets."""
    from scipy.optimize import minimize

    scale = float(np.sqrt(np.mean(scores**2))) or 1.0
    low, high = _parts(scores / scale)
    columns = np.stack([low, high, np.ones_like(low)])
    target = smoothed(positive)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logit = parameters @ columns
        value = np.logaddexp(0, logit) - target * logit
        gradient: Floats = columns @ (expit(logit) - target)
        return float(value.sum()), gradient

    bounds = [(FLATTEST, 50), (FLATTEST, 50), (-50, 50)]
    found = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1]), float(found.x[2]), scale
