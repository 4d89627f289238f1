"""DeLong's variance of the AUROC and paired test, for parts with one scan for each patient.

It takes scans as independent: where patients have several scans it is too sure, and `bootstrap`
is the way. Method: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); computed from midranks
in O(N log N): Sun and Xu, IEEE Signal Processing Letters 21 (2014).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from latentdx.core.errors import StopError
from latentdx.metrics.bootstrap import Patients, patient_groups
from latentdx.metrics.estimate import defined
from latentdx.metrics.metric import Floats, check_classes, check_labels, length_error


class DelongCovariance(NamedTuple):
    """AUROCs of M models, (M,), and the covariance of their estimates, (M, M)."""

    auroc: Floats
    covariance: Floats


class DelongTest(NamedTuple):
    """First AUROC minus second, its standard normal deviate, and the two-sided p-value.

    All are None where a class is missing; ``z`` and ``p_value`` also where the variance is not
    known (a class with one scan) or is 0 under a difference that is not.
    """

    difference: float | None
    z: float | None
    p_value: float | None


def delong_covariance(labels: ArrayLike, scores: ArrayLike) -> DelongCovariance:
    """AUROCs of M models on the same scans, with the covariance of the estimates.

    Parameters
    ----------
    labels: int (N,), 0 or 1.
    scores: (N,) of one model or (M, N) of several; higher = more likely class 1. Not NaN.

    Returns
    -------
    The AUROCs are NaN where a class is missing, the covariance where one has fewer than two scans.

    Raises
    ------
    StopError: E_LABELS, E_LENGTHS, E_SCORES.

    Examples
    --------
    >>> found = delong_covariance([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8])
    >>> found.auroc.tolist(), found.covariance.tolist()
    ([0.75], [[0.125]])
    """
    wins, losses = _placements(labels, scores)
    auroc = wins.mean(axis=1) if wins.size else np.full(len(wins), np.nan)
    return DelongCovariance(auroc, _of_mean(wins) + _of_mean(losses))


def delong_test(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike, *, patients: Patients
) -> DelongTest:
    """Test whether two models have the same AUROC on the same scans, one for each patient.

    Parameters
    ----------
    labels: int (N,), 0 or 1.
    first, second: scores (N,) of the two models.
    patients: (N,), all different; else ``StopError`` E_CLUSTERED.

    Examples
    --------
    >>> test = delong_test([0, 0, 1, 1, 1], [1, 3, 2, 4, 5], [3, 1, 2, 4, 2], patients="abcde")
    >>> round(test.difference, 3), round(test.z, 3), round(test.p_value, 3)
    (0.167, 0.316, 0.752)
    """
    groups = patient_groups(patients)
    if len(np.unique(groups)) < len(groups):
        found = "patients with several scans, which the test would take as independent"
        raise StopError("E_CLUSTERED", found, fix="use paired_difference, which draws patients")
    both = np.stack([_row(first, len(groups)), _row(second, len(groups))])
    # The variance of the difference itself: exactly 0 where the two rank alike.
    wins, losses = (np.diff(of_both[::-1], axis=0) for of_both in _placements(labels, both))
    difference = float(wins.mean()) if wins.size else np.nan
    z = _deviate(difference, float((_of_mean(wins) + _of_mean(losses))[0, 0]))
    return DelongTest(defined(difference), defined(z), defined(2 * float(ndtr(-abs(z)))))


def _row(scores: ArrayLike, n_scans: int) -> Floats:
    row = np.asarray(scores, dtype=np.float64)
    if row.shape != (n_scans,):
        raise length_error("scores", row.shape, f"({n_scans},)")
    return row


def _placements(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """The fraction of the other class that each scan ranks rightly against, (M, n) by class.

    It is a scan's rank among all less its rank among its own. Without the other class: empty.
    """
    positive, rows = _checked(labels, scores)
    ours, others = rows[:, positive], rows[:, ~positive]
    if not ours.size or not others.size:
        return np.empty((len(rows), 0)), np.empty((len(rows), 0))
    ranks = rankdata(rows, axis=1)
    wins = (ranks[:, positive] - rankdata(ours, axis=1)) / others.shape[1]
    losses = 1 - (ranks[:, ~positive] - rankdata(others, axis=1)) / ours.shape[1]
    return wins, losses


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    truth, rows = check_labels(labels), np.atleast_2d(np.asarray(scores, dtype=np.float64))
    check_classes(truth, 2)
    if rows.ndim != 2 or rows.shape[1] != len(truth):
        raise length_error("scores", rows.shape, f"({len(truth)},) or (M, {len(truth)})")
    if np.isnan(rows).any():
        raise StopError("E_SCORES", "a score is NaN", fix="leave out the scans without a score")
    return truth == 1, rows


def _of_mean(values: Floats) -> Floats:
    """Covariance (M, M) of the row means of ``values`` (M, n); NaN for n < 2."""
    m, n = values.shape
    if n < 2:
        return np.full((m, m), np.nan)
    centred = values - values.mean(axis=1, keepdims=True)
    covariance: Floats = centred @ centred.T / (n * (n - 1))
    return covariance


def _deviate(difference: float, variance: float) -> float:
    """Difference over standard error; NaN where that is 0 (up to rounding) and the other is not."""
    error = np.sqrt(variance)
    if error <= 1e-9 * abs(difference):
        return np.nan if difference else 0.0
    return float(difference / error)
