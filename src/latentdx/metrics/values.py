"""How good are predicted numbers? Errors, explained variance, correlations; with intervals.

Each is a function of values (N,), predictions (N,) and weights (B, N), as a bootstrap wants it
(see `metric`); undefined is NaN. Errors bear the unit of the values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.errors import StopError
from latentdx.metrics.bootstrap import N_RESAMPLES, Patients, bootstrap
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.metric import Floats, as_rows, length_error, ratio

ValueMetric: TypeAlias = Callable[[Floats, Floats, Floats], Floats]


def mean_absolute_error(values: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Mean distance between prediction and value, (B,).

    Examples
    --------
    >>> mean_absolute_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.ones((1, 2)))
    array([1.])
    """
    return ratio(weights @ np.abs(predicted - values), weights.sum(axis=1))


def root_mean_squared_error(values: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Root of the mean squared distance, (B,): large errors weigh more.

    Examples
    --------
    >>> root_mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.ones((1, 2)))
    array([1.41421356])
    """
    found: Floats = np.sqrt(ratio(weights @ (predicted - values) ** 2, weights.sum(axis=1)))
    return found


def explained_variance(values: Floats, predicted: Floats, weights: Floats) -> Floats:
    """R2, (B,): 1 less the squared error over that of the mean of these values.

    0 is what their own mean would reach, below it is worse than that; NaN where all are alike.

    Examples
    --------
    >>> explained_variance(np.array([1.0, 2, 3]), np.array([1.0, 2, 2]), np.ones((1, 3)))
    array([0.5])
    """
    error = weights @ (predicted - values) ** 2
    found: Floats = 1 - ratio(error, _squares(values - values.mean(), weights))
    return found


def pearson(values: Floats, predicted: Floats, weights: Floats) -> Floats:
    """The linear correlation, (B,): 1 on a rising line; NaN where either is constant.

    Pearson, Proceedings of the Royal Society 58, 1895.

    Examples
    --------
    >>> pearson(np.array([1.0, 2, 3]), np.array([2.0, 4, 6]), np.ones((1, 3))).round(9)
    array([1.])
    """
    rows = np.broadcast_to(values, weights.shape), np.broadcast_to(predicted, weights.shape)
    return _correlation(*rows, weights)


def spearman(values: Floats, predicted: Floats, weights: Floats) -> Floats:
    """The correlation of ranks, (B,): 1 where the order is the same; ties share their rank.

    Spearman, American Journal of Psychology 15, 1904. Ranks are those within each resample.

    Examples
    --------
    >>> spearman(np.array([1.0, 2, 3]), np.array([1.0, 4, 9]), np.ones((1, 3))).round(9)
    array([1.])
    """
    return _correlation(_ranks(values, weights), _ranks(predicted, weights), weights)


METRICS: dict[str, ValueMetric] = {
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
    "r2": explained_variance,
    "pearson": pearson,
    "spearman": spearman,
}
"""By name, in the order in which they are shown."""


def summarise_values(
    values: ArrayLike,
    predicted: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Estimate]:
    """All of `METRICS` with 95 % patient-cluster bootstrap intervals, by name.

    `values` and `predicted` are finite numbers (N,), `patients` (N,) any names. Raises
    `StopError`: ``E_LENGTHS``, ``E_SCORES`` (a prediction is not finite), ``E_PATIENT``.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> found = summarise_values([1, 2, 4], [1, 3, 4], ["a", "b", "c"], generator=generator)
    >>> round(found["mae"].value, 3), round(found["spearman"].value, 3), found["mae"].n_patients
    (0.333, 1.0, 3)
    """
    truth, told = _checked(values, predicted, len(patients))

    def statistic(drawn: NDArray[Any]) -> Floats:
        weights = as_rows(drawn, len(truth))
        return np.stack([of(truth, told, weights) for of in METRICS.values()], axis=1)

    found = bootstrap(statistic, patients, generator=generator, n_resamples=n_resamples)
    return dict(zip(METRICS, found, strict=True))


def error_difference(
    values: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
) -> Estimate:
    """The mean absolute error of the first less that of the second, on the same resamples.

    Below 0 the first is better.

    Examples
    --------
    >>> error_difference(
    ...     [1, 2], [1, 2], [2, 3], ["a", "b"], generator=np.random.default_rng(0)
    ... ).value
    -1.0
    """
    truth, own = _checked(values, first, len(patients))
    _, others = _checked(values, second, len(patients))
    gain = np.abs(own - truth) - np.abs(others - truth)

    def statistic(drawn: NDArray[Any]) -> Floats:
        weights = as_rows(drawn, len(truth))
        return ratio(weights @ gain, weights.sum(axis=1))[:, None]

    return bootstrap(statistic, patients, generator=generator)[0]


def _checked(values: ArrayLike, predicted: ArrayLike, n_patients: int) -> tuple[Floats, Floats]:
    truth, told = (np.asarray(given, np.float64) for given in (values, predicted))
    if truth.ndim != 1 or told.shape != truth.shape or n_patients != len(truth):
        raise length_error("predictions", told.shape, f"{truth.shape}")
    if not np.isfinite(told).all() or not np.isfinite(truth).all():
        raise StopError("E_SCORES", "a number is not finite", fix="leave out the scans without one")
    return truth, told


def _squares(values: Floats, weights: Floats) -> Floats:
    """Sum of squared distances to the weighted mean, (B,); 0 where only rounding is left."""
    total, count = weights @ values, weights.sum(axis=1)
    found = weights @ values**2 - ratio(total**2, count)
    tiny = 1e-12 * count * float(np.square(values).max(initial=0))
    return np.where(found > tiny, found, 0)


def _correlation(first: Floats, second: Floats, weights: Floats) -> Floats:
    """Of two tables (B, N) row by row, (B,)."""
    total = weights.sum(axis=1, keepdims=True)
    tiny = [1e-9 * np.abs(each).max(initial=0) for each in (first, second)]
    first, second = (
        each - ratio((weights * each).sum(axis=1, keepdims=True), total) for each in (first, second)
    )
    spreads = [np.sqrt((weights * each**2).sum(axis=1)) for each in (first, second)]
    known = (spreads[0] > tiny[0]) & (spreads[1] > tiny[1])
    below = np.where(known, spreads[0] * spreads[1], 0)
    return ratio((weights * first * second).sum(axis=1), below)


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Mid-ranks (B, N) where row b holds each scan as often as weights (B, N) say."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    below = np.zeros((len(weights), len(values) + 1))
    np.cumsum(weights[:, order], axis=1, out=below[:, 1:])
    first, last = (np.searchsorted(ascending, values, side) for side in ("left", "right"))
    ranks: Floats = (below[:, first] + below[:, last] + 1) / 2
    return ranks
