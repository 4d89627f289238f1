"""Ends of an interval from resamples: which of their quantiles are taken.

The percentile interval takes the 2.5 and 97.5 percentiles (Efron and Tibshirani, 1993). With few
patients it is too short, and it lies wrongly where resamples are skewed, as those of a high AUROC
are. BCa moves both quantiles by the resamples' bias and by how fast the spread changes with the
value (Efron, JASA 82, 1987); here they are moved outwards too, as Student's t is from the normal
(Hesterberg, The American Statistician 69, 2015). Calibration errors, which resampling raises, are
moved back instead. How often each holds the truth is measured: ``benchmarks/statistics.py``.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from latentdx.metrics.metric import Floats

LEVEL = 0.95
MOST_BIAS = 1.0
"""Largest shift of a resample's median, in standard deviations, that is corrected."""

Ends = tuple[float | None, float | None]


def percentile_interval(values: Floats, level: float = LEVEL) -> Ends:
    """The central ``level`` of the defined values (B,); None, None where most are undefined.

    Examples
    --------
    >>> percentile_interval(np.arange(101.0), 0.5)
    (25.0, 75.0)
    """
    known = values[~np.isnan(values)]
    if not known.size or 2 * known.size < values.size:
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def corrected_interval(
    value: float, resampled: Floats, left_out: Floats, n_patients: int, level: float = LEVEL
) -> Ends:
    """The BCa interval with Hesterberg's widening for few patients.

    Parameters
    ----------
    value: on all patients.
    resampled: (B,), NaN where undefined; None, None where most are.
    left_out: (P,) the value without each patient in turn, NaN where undefined; where it is empty
        the spread is taken as the same for all values, as it nearly is for many patients.
    n_patients: at least 2.

    Examples
    --------
    >>> resampled = np.linspace(0, 1, 1001) ** 2
    >>> low, high = corrected_interval(0.25, resampled, np.empty(0), 1000)
    >>> round(low, 4), round(high, 4)
    (0.0006, 0.951)
    """
    known = resampled[~np.isnan(resampled)]
    if math.isnan(value) or not known.size or 2 * known.size < resampled.size:
        return None, None
    bias, speed = _bias(value, known), _acceleration(left_out)
    factor = math.sqrt(n_patients / (n_patients - 1))
    half = factor * float(stdtrit(n_patients - 1, (1 + level) / 2))
    low, high = np.quantile(known, [_moved(end, bias, speed) for end in (-half, half)])
    return float(low), float(high)


def centred_interval(value: float, resampled: Floats, level: float = LEVEL) -> Ends:
    """The percentile interval of errors that resampling raises, as it does calibration errors.

    A resample repeats scans, which makes its bins rougher than the cohort's: what chance adds to
    the error's square, it adds once more. So the squares are moved back until their mean is that of
    the value; where one falls below 0 it is 0. Arguments are those of `corrected_interval`.

    Examples
    --------
    >>> low, high = centred_interval(0.1, np.sqrt(np.linspace(0.01, 0.05, 1001)))
    >>> round(low, 4), round(high, 4)
    (0.0, 0.1703)
    """
    known = resampled[~np.isnan(resampled)]
    if math.isnan(value) or not known.size or 2 * known.size < resampled.size:
        return None, None
    squares = np.maximum(0, known**2 - (np.mean(known**2) - value**2))
    return percentile_interval(np.sqrt(squares), level)


def _moved(end: float, bias: float, speed: float) -> float:
    """The share of resamples below an end, given in standard deviations."""
    shifted = bias + end
    return float(ndtr(bias + shifted / max(1e-3, 1 - speed * shifted)))


def _bias(value: float, known: Floats) -> float:
    """How far the resamples' median lies from the value, in standard deviations."""
    near = 1e-12 * max(1.0, abs(value))
    below, ties = np.sum(known < value - near), np.sum(np.abs(known - value) <= near)
    found = float(ndtri((below + ties / 2) / len(known)))
    return min(MOST_BIAS, max(-MOST_BIAS, found))


def _acceleration(left_out: Floats) -> float:
    """A sixth of the skewness of the patients' influences, from the jackknife."""
    known = left_out[~np.isnan(left_out)]
    if not known.size:
        return 0.0
    influence = known.mean() - known
    spread = float((influence**2).sum())
    tiny = 1e-24 * len(known) * max(1.0, float(np.square(known).max()))
    return float((influence**3).sum()) / (6 * spread**1.5) if spread > tiny else 0.0
