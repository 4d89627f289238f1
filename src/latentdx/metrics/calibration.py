"""Do the probabilities mean what they say? Brier score, calibration error, log loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.errors import StopError
from latentdx.metrics.metric import (
    Floats,
    Ints,
    check_classes,
    check_labels,
    metric,
    ratio,
    sum_by_group,
)

ECE_BINS = 10


@metric
def brier(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """Brier score: mean squared distance between probabilities and outcome, 0 (best) to 1.

    Half the sum over classes of (p - y)^2, averaged over scans, which for two classes is the mean
    of (p - y)^2 of class 1 (Brier, Monthly Weather Review 78, 1950).

    Parameters
    ----------
    labels: int (N,), classes 0..K-1.
    probabilities: (N,) of class 1, or (N, K) with rows that sum to 1.
    weights: keyword, int (B, N) or None.

    Returns
    -------
    float, or (B,) with weights; NaN without scans.

    Examples
    --------
    >>> brier([0, 1], [0.5, 1.0])
    0.125
    """
    table = check_probabilities(labels, probabilities)
    truth = np.eye(table.shape[1])[labels]
    return _mean(((table - truth) ** 2).sum(axis=1) / 2, weights)


@metric
def balanced_brier(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """The Brier score of each class's scans, averaged over classes. Arguments are `brier`'s.

    Where one class is rare, saying its share of every scan has a low Brier score; here it has not.
    NaN where a class has no scan.

    Examples
    --------
    >>> round(brier([0, 0, 0, 1], [0.25] * 4), 4), balanced_brier([0, 0, 0, 1], [0.25] * 4)
    (0.1875, 0.3125)
    """
    table = check_probabilities(labels, probabilities)
    n_classes = table.shape[1]
    squared = ((table - np.eye(n_classes)[labels]) ** 2).sum(axis=1) / 2
    sums = sum_by_group(squared, labels, n_classes, weights)
    counts = sum_by_group(np.ones(len(labels)), labels, n_classes, weights)
    mean: Floats = ratio(sums, counts).mean(axis=1)
    return mean


@metric
def log_loss(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """Mean of -log(probability of the true class), in nats. Arguments are `brier`'s.

    Probabilities below 2.2e-16 count as that, so that one sure mistake does not make it infinite.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.5, 0.5]), 4)
    0.6931
    """
    table = check_probabilities(labels, probabilities)
    of_truth = table[np.arange(len(labels)), labels]
    return _mean(-np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1)), weights)


@metric
def ece(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """Expected calibration error: mean gap between stated and observed frequency, 10 equal bins.

    For two classes, on the probability of class 1; for more, on the top class's probability and
    whether it is right (Naeini et al., AAAI 2015; Guo et al., ICML 2017). Arguments are `brier`'s.
    It is biased upwards for few scans: compare it only between models on the same scans.

    Examples
    --------
    >>> round(ece([0, 1, 1, 1], [0.75, 0.75, 0.75, 0.95]), 4)
    0.075
    """
    stated, happened = _stated(labels, probabilities)
    gaps = sum_by_group(stated - happened, _bin(stated, ECE_BINS), ECE_BINS, weights)
    return ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


@metric
def ece_debiased(labels: Ints, probabilities: NDArray[Any], weights: Floats) -> Floats:
    """Root mean square gap between stated and observed frequency, less what chance alone makes.

    In the bins and on the quantity of `ece`: of each bin's squared gap its expected chance part
    ``f (1 - f) / (n - 1)`` is taken off, ``f`` being the observed frequency of its ``n`` scans;
    0 where nothing is left (Kumar, Liang and Ma, NeurIPS 2019, their debiased estimator, with bins
    of equal width). Bins of one scan tell nothing and are left out; NaN where all are such.

    Examples
    --------
    >>> round(ece_debiased([0, 1] * 20, [0.75] * 40), 4)
    0.2368
    >>> ece_debiased([0, 1] * 20, [0.5] * 40)
    0.0
    """
    stated, happened = _stated(labels, probabilities)
    bins = _bin(stated, ECE_BINS)
    columns = (np.ones(len(bins)), stated - happened, happened)
    counts, gaps, hits = (sum_by_group(each, bins, ECE_BINS, weights) for each in columns)
    told = np.where(counts > 1, counts, 0)
    share = ratio(hits, counts)
    squared = ratio(gaps, counts) ** 2 - ratio(share * (1 - share), counts - 1)
    total = np.where(told > 0, told * squared, 0).sum(axis=1)
    found: Floats = np.sqrt(np.maximum(0, ratio(total, told.sum(axis=1))))
    return found


class Reliability(NamedTuple):
    """Each bin's mean probability, observed frequency and number of scans, all (n_bins,).

    The first two are NaN where a bin is empty.
    """

    mean_probability: Floats
    observed: Floats
    counts: Ints


def reliability_curve(
    labels: ArrayLike, probabilities: ArrayLike, n_bins: int = ECE_BINS
) -> Reliability:
    """The points of a reliability diagram in equal-width bins, on the same quantity as `ece`.

    Examples
    --------
    >>> curve = reliability_curve([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75], n_bins=2)
    >>> curve.observed.tolist(), curve.counts.tolist()
    ([0.5, 1.0], [2, 2])
    """
    stated, happened = _stated(check_labels(labels), np.asarray(probabilities))
    bins = _bin(stated, n_bins)
    every = np.ones((1, len(bins)))
    counts, sums, hits = (
        sum_by_group(each, bins, n_bins, every)[0] for each in (every[0], stated, happened)
    )
    return Reliability(ratio(sums, counts), ratio(hits, counts), counts.astype(np.int64))


def check_probabilities(labels: Ints, probabilities: NDArray[Any]) -> Floats:
    """Probabilities as float64 (N, K); raises ``StopError`` E_PROBABILITIES where they are not."""
    given = np.asarray(probabilities, dtype=np.float64)
    table = given if given.ndim == 2 else np.stack([1 - given, given], axis=1)
    check_classes(labels, table.shape[1])
    in_range = ((table >= 0) & (table <= 1)).all()
    # Half-precision softmax rows miss 1 by up to about 1e-3; logits and scores miss it by far more.
    if not (in_range and (np.abs(table.sum(axis=1) - 1) < 5e-3).all()):
        fix = "calibrate the scores first; give values in 0..1 with rows that sum to 1"
        raise StopError("E_PROBABILITIES", "values that are not probabilities", fix=fix)
    return table


def _stated(labels: Ints, probabilities: NDArray[Any]) -> tuple[Floats, Floats]:
    """What was claimed of each scan, and whether it happened (0 or 1), both (N,)."""
    table = check_probabilities(labels, probabilities)
    claimed = np.ones_like(labels) if table.shape[1] == 2 else table.argmax(axis=1)
    return table[np.arange(len(labels)), claimed], (labels == claimed).astype(np.float64)


def _bin(stated: Floats, n_bins: int) -> Ints:
    return np.minimum((stated * n_bins).astype(np.int64), n_bins - 1)


def _mean(values: Floats, weights: Floats) -> Floats:
    return ratio(weights @ values, weights.sum(axis=1))
