"""Sensitivity where specificity is held, and the reverse: the ROC curve read at fixed points.

A threshold is a score that occurs. Of the thresholds that keep the specificity at or above its
goal the one of the highest sensitivity counts, and the reverse; there is no interpolation, so that
each number is one that a threshold reaches on these scans. (Pepe, "The Statistical Evaluation of
Medical Tests", 2003, chapter 4.) The threshold is chosen on the scans that are scored, in each
resample anew: these numbers rank models, they are no promise of a threshold for new scans.

For more than two classes each number is the mean of one class against the rest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.discrimination import questions
from latentdx.metrics.metric import Floats, Ints, Metric, metric, ratio

GOALS = (0.8, 0.9, 0.95)
OPERATING_NAMES = tuple(
    f"{name}_{100 * goal:.0f}"
    for name in ("sensitivity_at_specificity", "specificity_at_sensitivity")
    for goal in GOALS
)
_SLACK = 1e-9
"""A goal of .9 of 10 scans is 9 of them, whatever .9 is in binary."""


class _Passed(NamedTuple):
    """By threshold, from the highest, (T + 1, B): positive and negative scans at or above it."""

    positive: Floats
    negative: Floats


def operating_points(labels: Ints, scores: NDArray[Any], weights: Floats) -> Floats:
    """All of `OPERATING_NAMES` at once, (B, 6); arguments are those of `auroc`, weights (B, N)."""
    found = []
    for positive, given in questions(labels, scores):
        passed = _passed(positive, given, weights)
        columns = [_sensitivity(passed, goal) for goal in GOALS]
        columns += [_specificity(passed, goal) for goal in GOALS]
        found.append(np.stack(columns, axis=1))
    mean: Floats = np.stack(found).mean(axis=0)
    return mean


def sensitivity_at_specificity(goal: float) -> Metric:
    """The metric: the highest sensitivity of a threshold whose specificity is at least `goal`.

    Its arguments are those of `auroc`; NaN where a class is missing.

    Examples
    --------
    >>> sensitivity_at_specificity(0.5)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8])
    1.0
    >>> sensitivity_at_specificity(0.9)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8])
    0.5
    """

    @metric
    def found(labels: Ints, scores: NDArray[Any], weights: Floats) -> Floats:
        asked = questions(labels, scores)
        parts = [_sensitivity(_passed(*each, weights), goal) for each in asked]
        mean: Floats = np.stack(parts).mean(axis=0)
        return mean

    return found


def specificity_at_sensitivity(goal: float) -> Metric:
    """The metric: the highest specificity of a threshold whose sensitivity is at least `goal`.

    Its arguments are those of `auroc`; NaN where a class is missing.

    Examples
    --------
    >>> specificity_at_sensitivity(0.5)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8])
    1.0
    >>> specificity_at_sensitivity(0.9)([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8])
    0.5
    """

    @metric
    def found(labels: Ints, scores: NDArray[Any], weights: Floats) -> Floats:
        asked = questions(labels, scores)
        parts = [_specificity(_passed(*each, weights), goal) for each in asked]
        mean: Floats = np.stack(parts).mean(axis=0)
        return mean

    return found


def _passed(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> _Passed:
    order = np.argsort(-scores, kind="stable")
    falling, ours = scores[order], positive[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True)) if len(order) else order
    by_scan = weights.T[order]
    sums = np.zeros((2, len(last) + 1, len(weights)))
    for found, own in zip(sums, (ours, ~ours), strict=True):
        found[1:] = np.cumsum(by_scan * own[:, None], axis=0)[last]
    return _Passed(*sums)


def _sensitivity(passed: _Passed, goal: float) -> Floats:
    positive, negative = passed.positive[-1], passed.negative[-1]
    allowed = (1 - goal) * negative + _SLACK * negative
    at = (passed.negative <= allowed).sum(axis=0) - 1
    found = ratio(np.take_along_axis(passed.positive, at[None], axis=0)[0], positive)
    return np.where(negative > 0, found, np.nan)


def _specificity(passed: _Passed, goal: float) -> Floats:
    positive, negative = passed.positive[-1], passed.negative[-1]
    wanted = goal * positive - _SLACK * positive
    at = np.minimum((passed.positive < wanted).sum(axis=0), len(passed.positive) - 1)
    found = ratio(negative - np.take_along_axis(passed.negative, at[None], axis=0)[0], negative)
    return np.where(positive > 0, found, np.nan)
