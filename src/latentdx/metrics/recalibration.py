"""Are probabilities too high, or too extreme? The logistic recalibration of two classes.

A logistic regression of the outcome on the log odds that were stated, ``logit P(y=1) = a + b x``,
``x = logit p`` (Cox, Biometrika 45, 1958; Steyerberg, "Clinical Prediction Models", 2019, chapter
15). ``b`` is the calibration slope: 1 is right, below 1 the probabilities are too extreme, as those
of an overfitted model. ``a`` is the intercept beside it: 0 is right. With ``b`` held at 1 what is
left of ``a`` is the calibration in the large: above 0 the disease is commoner than was stated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from latentdx.metrics.calibration import check_probabilities
from latentdx.metrics.metric import Floats, Ints, metric

RECALIBRATION_NAMES = ("calibration_slope", "calibration_intercept", "calibration_in_the_large")
NEAREST = 1e-6
"""Probabilities nearer to 0 or 1 count as that: their log odds would be infinite."""

_STEPS, _CLOSE, _STEEPEST = 30, 1e-5, 200.0
# Newton doubles the right digits with every step: the last one, below 1e-5, leaves about 1e-10.


@metric
def calibration_slope(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """The slope ``b``: 1 is best, below 1 means too extreme, above 1 too timid.

    Labels are int (N,) in 0..1, probabilities (N,) of class 1 or (N, 2). NaN where a class is
    missing, all probabilities are one, or the classes do not overlap.

    Examples
    --------
    >>> labels = [0, 0, 0, 1, 0, 1, 1, 1]
    >>> round(calibration_slope(labels, [0.25] * 4 + [0.75] * 4), 6)
    1.0
    >>> round(calibration_slope(labels, [0.1] * 4 + [0.9] * 4), 6)
    0.5
    """
    return recalibration(labels, probabilities, weights)[:, 0]


@metric
def calibration_intercept(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """The intercept ``a`` beside the slope, in log odds: 0 is best. Arguments as for the slope.

    Examples
    --------
    >>> abs(round(calibration_intercept([0, 0, 0, 1, 0, 1, 1, 1], [0.1] * 4 + [0.9] * 4), 6))
    0.0
    """
    return recalibration(labels, probabilities, weights)[:, 1]


@metric
def calibration_in_the_large(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """The intercept where the slope is held at 1, in log odds: 0 is best.

    Above 0 the disease is commoner than was stated. NaN where a class is missing.

    Examples
    --------
    >>> round(calibration_in_the_large([0, 1, 1, 1], [0.5, 0.5, 0.5, 0.5]), 4)  # log 3
    1.0986
    """
    return recalibration(labels, probabilities, weights)[:, 2]


def recalibration(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """Slope, intercept, and calibration in the large, (B, 3), from weights (B, N)."""
    stated = check_probabilities(labels, probabilities)[:, 1]
    odds = logit(np.clip(stated, NEAREST, 1 - NEAREST))
    positive = labels.astype(np.float64)
    both = _fit(positive, odds, weights)
    alone = _offset(positive, odds, weights)
    return np.stack([both[:, 1], both[:, 0], alone], axis=1)


def _fit(positive: Floats, odds: Floats, weights: Floats) -> Floats:
    """Intercept and slope (B, 2) by Newton's method, NaN where there is none."""
    every = np.ones((1, len(odds)))
    start = _newton(positive, odds, every, np.zeros((1, 2)))
    start = start if np.isfinite(start).all() else np.zeros((1, 2))
    return _newton(positive, odds, weights, np.repeat(start, len(weights), axis=0))


def _newton(positive: Floats, odds: Floats, weights: Floats, start: Floats) -> Floats:
    """Rows that come to rest; where classes do not overlap the slope grows without end."""
    at, found = start.copy(), np.full_like(start, np.nan)
    left = np.arange(len(at))
    for _ in range(_STEPS):
        step = _newton_step(positive, odds, weights[left], at[left])
        at[left] += step
        size = np.abs(step).max(axis=1, initial=0)
        rests = size < _CLOSE
        found[left[rests]] = at[left[rests]]
        left = left[~rests & np.isfinite(size) & (np.abs(at[left]).max(axis=1) < _STEEPEST)]
        if not left.size:
            break
    return found


def _newton_step(positive: Floats, odds: Floats, weights: Floats, at: Floats) -> Floats:
    guess = expit(at[:, :1] + at[:, 1:] * odds)
    pull = weights * (positive - guess)
    curve = weights * guess * (1 - guess)
    g0, g1 = pull.sum(axis=1), pull @ odds
    h0, h1, h2 = curve.sum(axis=1), curve @ odds, curve @ odds**2
    determinant = h0 * h2 - h1**2
    flat = determinant <= 1e-10 * h0 * h2
    below = np.where(flat, np.nan, determinant)
    found = np.stack([h2 * g0 - h1 * g1, h0 * g1 - h1 * g0], axis=1) / below[:, None]
    # A step never moves any scan's log odds by more than a few: far steps overshoot.
    reach = np.abs(found[:, :1]) + np.abs(found[:, 1:]) * np.abs(odds).max(initial=0)
    limited: Floats = found / np.maximum(1, reach / 8)
    return limited


def _offset(positive: Floats, odds: Floats, weights: Floats) -> Floats:
    """The intercept (B,) beside a slope of 1: the same equation in one unknown."""
    total, ours = weights.sum(axis=1), weights @ positive
    known = (ours > 0) & (ours < total)
    at = np.zeros(len(weights))
    for _ in range(_STEPS):
        guess = expit(at[:, None] + odds)
        curve = np.einsum("bn,bn->b", weights, guess * (1 - guess))
        error = ours - np.einsum("bn,bn->b", weights, guess)
        step = np.clip(error / np.maximum(curve, 1e-12), -2, 2)
        at += np.where(known, step, 0)
        if np.abs(step[known]).max(initial=0) < _CLOSE:
            break
    return np.where(known, at, np.nan)
