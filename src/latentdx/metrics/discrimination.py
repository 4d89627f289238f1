"""Does the score rank the sick above the healthy? AUROC, average precision, and the ROC curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.errors import StopError
from latentdx.metrics.metric import (
    Floats,
    Ints,
    check_classes,
    check_labels,
    length_error,
    metric,
    ratio,
)


@metric
def auroc(labels: Ints, scores: NDArray[Any], weights: Floats) -> Floats:
    """Area under the ROC curve: the chance that a positive scan scores above a negative one.

    Ties count one half (Mann-Whitney; Hanley and McNeil, Radiology 143, 1982). With K > 2 classes
    it is the mean over classes of one against the rest, undefined where any class is missing.

    Parameters
    ----------
    labels: int (N,), classes 0..K-1; class 1 is the positive one of two.
    scores: (N,) for class 1, or (N, K) for all classes; higher = more likely. Not NaN.
    weights: keyword, int (B, N) or None.

    Returns
    -------
    float, or (B,) with weights; NaN where undefined.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return _macro(_area, labels, scores, weights)


@metric
def average_precision(labels: Ints, scores: NDArray[Any], weights: Floats) -> Floats:
    """Average precision: the precision at each positive scan's score, averaged over positives.

    The step-wise sum of (R_n - R_n-1) P_n over distinct thresholds, without interpolation. With
    K > 2 classes it is the mean of one against the rest. Arguments and returns are `auroc`'s.

    Examples
    --------
    >>> average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.8333333333333333
    """
    return _macro(_precision_area, labels, scores, weights)


class Roc(NamedTuple):
    """The points of a ROC curve, from (0, 0) to (1, 1): `fpr` and `tpr`, each (M,)."""

    fpr: Floats
    tpr: Floats


def roc_points(labels: ArrayLike, scores: ArrayLike) -> Roc:
    """The ROC curve of binary ``scores`` (N,): one point for each distinct score.

    Where a class is missing, its rate is NaN.

    Examples
    --------
    >>> fpr, tpr = roc_points([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    >>> fpr.tolist(), tpr.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    truth, given = check_labels(labels), np.asarray(scores)
    if given.shape != truth.shape:
        raise length_error("scores", given.shape, f"{truth.shape}")
    ((positive, given),) = questions(truth, given)
    thresholds = np.unique(given)[::-1]
    return Roc(*(_rate(np.sort(given[own]), thresholds) for own in (~positive, positive)))


def _rate(scores: Floats, thresholds: Floats) -> Floats:
    """Fraction of ``scores`` (ascending) at or above each threshold, after a first 0."""
    reached = len(scores) - np.searchsorted(scores, thresholds, "left")
    return ratio(np.append(0.0, reached), np.array(float(len(scores))))


_Binary: TypeAlias = Callable[[NDArray[np.bool_], Floats, Floats], Floats]


def _macro(binary: _Binary, labels: Ints, scores: NDArray[Any], weights: Floats) -> Floats:
    parts = [binary(*split, weights) for split in questions(labels, scores)]
    mean: Floats = np.stack(parts).mean(axis=0)
    return mean


def questions(labels: Ints, scores: NDArray[Any]) -> list[tuple[NDArray[np.bool_], Floats]]:
    """The binary questions of a task as (is positive, score): one for two classes, else K."""
    given = np.asarray(scores, dtype=np.float64)
    if np.isnan(given).any():
        raise StopError("E_SCORES", "a score is NaN", fix="leave out the scans without a score")
    columns = given.T if given.ndim == 2 else np.stack([-given, given])
    check_classes(labels, len(columns))
    asked = range(1, 2) if len(columns) == 2 else range(len(columns))
    return [(labels == k, columns[k]) for k in asked]


def _area(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    ours, drawn = _ranked(scores, positive, weights)
    others, other_weights = _ranked(scores, ~positive, weights)
    below = _cumulated(other_weights)
    lower, upper = (below[np.searchsorted(others, ours, side)] for side in ("left", "right"))
    wins = np.einsum("nb,nb->b", drawn, lower) + np.einsum("nb,nb->b", drawn, upper)
    return ratio(wins / 2, drawn.sum(axis=0) * below[-1])


def _precision_area(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    ours, drawn = _ranked(scores, positive, weights)
    others, other_weights = _ranked(scores, ~positive, weights)
    hits = _at_least(ours, ours, drawn)
    alarms = _at_least(ours, others, other_weights)
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits > 0)
    return ratio(np.einsum("nb,nb->b", drawn, precision), drawn.sum(axis=0))


def _ranked(scores: Floats, chosen: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """The chosen scans' scores (n,) in ascending order, and their weights (n, B)."""
    members = np.flatnonzero(chosen)
    members = members[np.argsort(scores[members], kind="stable")]
    return scores[members], weights.T[members]


def _cumulated(weights: Floats) -> Floats:
    """Row i is the weight (B,) of the first i scans; (n, B) becomes (n + 1, B)."""
    sums = np.zeros((len(weights) + 1, weights.shape[1]))
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums


def _at_least(thresholds: Floats, scores: Floats, weights: Floats) -> Floats:
    """Weight of the scans that score at least each threshold, (T, B); ``scores`` ascend."""
    below = _cumulated(weights)
    reached: Floats = below[-1] - below[np.searchsorted(scores, thresholds, "left")]
    return reached
