"""One number for all classes: scores divided by a temperature, at the classes' own shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.calibrate import FLATTEST, Floats, Ints, Scores

_STEEPEST = 50.0


@dataclass(frozen=True)
class TemperatureCalibration:
    """P = softmax(scores / temperature + logarithm of the classes' shares).

    Guo et al., "On calibration of modern neural networks", ICML 2017. The shares are there because
    classifiers here are fitted with every class weighing the same: their scores know nothing of
    how common a class is. They are counted on the part, one scan added to each class; only the
    temperature is fitted. `sharpness` () is one over the temperature, `offsets` (K,) are the
    logarithms.
    """

    sharpness: Floats
    offsets: Floats

    @classmethod
    def fit(cls, scores: Scores, labels: Ints) -> TemperatureCalibration:
        """From scores (N, Q) and labels int (N,) in 0..K-1 (Q is 1 for K = 2, else K)."""
        from scipy.optimize import minimize_scalar

        wide = _by_class(scores)
        counts = np.bincount(labels, minlength=wide.shape[1]) + 1.0
        offsets = np.log(counts / counts.sum())
        # Platt's targets: a part that is told apart without a mistake promises no certainty.
        rest = 1 / (counts[labels] + 1)[:, None]
        own = np.eye(wide.shape[1])[labels]
        target = own * (1 - rest) + (1 - own) * rest / (wide.shape[1] - 1)
        spread = float(np.sqrt(np.mean(scores.astype(np.float64) ** 2))) or 1.0

        def loss(log_sharpness: float) -> float:
            logits = np.exp(log_sharpness) * wide / spread + offsets
            return float(-(target * _log_softmax(logits)).sum())

        bounds = (np.log(FLATTEST), np.log(_STEEPEST))
        found = minimize_scalar(loss, bounds=bounds, method="bounded")
        return cls(np.asarray(np.exp(found.x) / spread), offsets)

    def probabilities(self, scores: Scores) -> Floats:
        """(N, Q) to (N, K), rows that sum to 1."""
        table: Floats = np.exp(_log_softmax(self.sharpness * _by_class(scores) + self.offsets))
        return table


def _by_class(scores: Scores) -> Floats:
    """A column a class (N, K); the one question of two classes is the second against the first."""
    wide = scores.astype(np.float64)
    return np.concatenate([np.zeros_like(wide), wide], axis=1) if wide.shape[1] == 1 else wide


def _log_softmax(logits: Floats) -> NDArray[np.float64]:
    largest = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
    found: Floats = logits - largest - total
    return found
