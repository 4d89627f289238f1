"""Intervals by resampling patients: the scans of one patient are not independent evidence.

The patient-cluster bootstrap draws patients, not scans, with replacement, and each drawn patient
brings all their scans (Field and Welsh, JRSS B 69, 2007). Intervals are the 2.5 and 97.5
percentiles of the metric over resamples (Efron and Tibshirani, 1993).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.errors import StopError
from latentdx.metrics.estimate import Estimate, defined
from latentdx.metrics.metric import Floats, Ints, Metric

N_RESAMPLES = 2000
CHUNK_CELLS = 1 << 21
"""Weights held at once (16 MB): it bounds memory for any number of scans or resamples."""

Patients: TypeAlias = Sequence[Hashable] | NDArray[Any]
Statistic: TypeAlias = Callable[[NDArray[Any]], Floats]
"""From weights (B, N) to the values (B, M) of M metrics, NaN where undefined."""


def patient_groups(patients: Patients) -> Ints:
    """Patients (N,) as integers 0..P-1 in order of first appearance.

    The names themselves have no influence, so that other pseudonyms give the same intervals.

    Examples
    --------
    >>> patient_groups(["zoe", "adam", "zoe"]).tolist()
    [0, 1, 0]
    """
    names = patients.tolist() if isinstance(patients, np.ndarray) else list(patients)
    if any(name is None or name != name for name in names):
        fix = "name the patient of every scan, or treat each such scan as its own patient"
        raise StopError("E_PATIENT", "a scan without a patient", fix=fix)
    codes: dict[Hashable, int] = {}
    return np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.int64)


def cluster_weights(
    patients: Patients, n_resamples: int, generator: np.random.Generator
) -> Iterator[Ints]:
    """Resamples of patients with replacement, as chunks of integer weights (b, N).

    The chunks' rows add up to ``n_resamples``; each holds at most about 2 million weights. A scan's
    weight is how often its patient was drawn. Without patients there are no chunks.

    Examples
    --------
    >>> chunks = cluster_weights(["a", "b", "b"], 5, np.random.default_rng(0))
    >>> weights = np.concatenate(list(chunks))
    >>> weights.shape, bool((weights[:, 1] == weights[:, 2]).all())
    ((5, 3), True)
    """
    groups = patient_groups(patients)
    n_patients = _count(groups)
    rows = max(1, CHUNK_CELLS // max(1, len(groups)))
    for start in range(0, n_resamples if n_patients else 0, rows):
        drawn = _draw(min(rows, n_resamples - start), n_patients, generator)
        # (N, b) in memory: the metrics gather and cumulate over scans, for all resamples at once.
        yield drawn.T[groups].T


def bootstrap(
    statistic: Statistic,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> list[Estimate]:
    """Estimates of all M values of ``statistic``, over the same resamples of patients.

    A resample in which a value is undefined is left out of that value's interval; where more than
    half are, or where there are fewer than two patients, the interval is None.

    Examples
    --------
    >>> ages = np.array([50.0, 60.0, 61.0, 70.0])
    >>> mean = lambda weights: (weights @ ages / weights.sum(1))[:, None]
    >>> [estimate] = bootstrap(mean, ["a", "b", "b", "c"], generator=np.random.default_rng(0))
    >>> estimate.value, estimate.n_scans, estimate.n_patients
    (60.25, 4, 3)
    """
    groups = patient_groups(patients)
    values = statistic(np.ones((1, len(groups))))[0]
    chunks = cluster_weights(groups, n_resamples, generator)
    resampled = np.concatenate([np.empty((0, len(values))), *map(statistic, chunks)])
    if _count(groups) < 2:
        resampled = np.full_like(resampled, np.nan)
    return [
        Estimate(defined(value), *percentile_interval(column), len(groups), _count(groups))
        for value, column in zip(values, resampled.T, strict=True)
    ]


def estimate(
    metric: Metric,
    labels: ArrayLike,
    predicted: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """One metric of labels (N,) and predictions (N,) or (N, K), with its interval."""

    def statistic(weights: NDArray[Any]) -> Floats:
        return metric(labels, predicted, weights=weights)[:, None]

    return bootstrap(statistic, patients, generator=generator, n_resamples=n_resamples)[0]


def paired_difference(
    metric: Metric,
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
) -> Estimate:
    """``metric`` of the first model minus that of the second, on the same scans and resamples."""

    def statistic(weights: NDArray[Any]) -> Floats:
        both = [metric(labels, predicted, weights=weights) for predicted in (first, second)]
        return (both[0] - both[1])[:, None]

    return bootstrap(statistic, patients, generator=generator)[0]


def percentile_interval(values: Floats, level: float = 0.95) -> tuple[float | None, float | None]:
    """The central ``level`` of the defined values (B,); None, None where most are undefined."""
    known = values[~np.isnan(values)]
    if not known.size or 2 * known.size < values.size:
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _draw(n_rows: int, n_patients: int, generator: np.random.Generator) -> Ints:
    """How often each patient was drawn, (n_rows, P), in n_rows draws of P patients."""
    drawn = generator.integers(n_patients, size=(n_rows, n_patients))
    cells = drawn + n_patients * np.arange(n_rows)[:, None]
    return np.bincount(cells.ravel(), minlength=n_rows * n_patients).reshape(n_rows, n_patients)


def _count(groups: Ints) -> int:
    return int(groups.max(initial=-1)) + 1
