"""A rising curve of no given shape: for many scans, where a sigmoid does not fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from latentdx.diagnosis.calibrate import (
    Floats,
    Ints,
    Scores,
    by_class,
    fit_sigmoid,
    questions,
    smoothed,
)

_SIGMOID = 0.01  # its part in the answer: scans of one step keep their order


@dataclass(frozen=True)
class IsotonicCalibration:
    """P by isotonic regression, joined by straight lines, with a hundredth of the sigmoid.

    Zadrozny & Elkan, "Transforming classifier scores into accurate multiclass probability
    estimates", KDD 2002; joined through the middle of each step: Oron & Flournoy, "Centered
    isotonic regression", Statistics in Biopharmaceutical Research 9, 2017. Fitted to Platt's
    smoothed targets, so that it never says 0 or 1. `knots`, `values`: (Q, M), the last repeated
    where a question has fewer; `slopes`, `offsets`: (Q,), the sigmoid's.
    """

    knots: Floats
    values: Floats
    slopes: Floats
    offsets: Floats

    @classmethod
    def fit(cls, scores: Scores, labels: Ints) -> IsotonicCalibration:
        """From scores (N, Q) and labels int (N,) in 0..K-1 (Q is 1 for K = 2, else K)."""
        asked = questions(scores, labels)
        steps = [_steps(column, own) for column, own in asked]
        longest = max(len(knots) for knots, _ in steps)
        padded = [[_padded(row, longest) for row in both] for both in steps]
        slopes, offsets = np.array([fit_sigmoid(column, own) for column, own in asked]).T
        knots, values = np.array(padded).transpose(1, 0, 2)
        return cls(knots, values, slopes, offsets)

    def probabilities(self, scores: Scores) -> Floats:
        """(N, Q) to (N, K), rows that sum to 1."""
        wide = scores.astype(np.float64)
        rows = zip(wide.T, self.knots, self.values, strict=True)
        curve = np.stack([np.interp(column, at, value) for column, at, value in rows], axis=1)
        smooth = expit(wide * self.slopes + self.offsets)
        return by_class((1 - _SIGMOID) * curve + _SIGMOID * smooth)


def _steps(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The middle of each step of the regression (M,), and its value (M,), both rising."""
    from scipy.optimize import isotonic_regression

    places, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    sums = np.bincount(which, smoothed(positive))
    fitted = isotonic_regression(sums / counts, weights=counts)
    starts = fitted.blocks[:-1]
    middles = np.add.reduceat(places * counts, starts) / np.add.reduceat(counts, starts)
    values: Floats = fitted.x[starts]
    return middles, values


def _padded(row: Floats, length: int) -> Floats:
    return np.concatenate([row, np.full(length - len(row), row[-1])])
