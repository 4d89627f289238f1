"""Intervals by resampling patients: the scans of one patient are not independent evidence.

The patient-cluster bootstrap draws patients, not scans, with replacement, and each drawn patient
brings all their scans (Field and Welsh, JRSS B 69, 2007). Intervals come from the resamples by
`corrected_interval`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.errors import StopError
from latentdx.metrics.estimate import Estimate, defined
from latentdx.metrics.intervals import centred_interval, corrected_interval
from latentdx.metrics.metric import Floats, Ints, Metric

N_RESAMPLES = 2000
CHUNK_CELLS = 1 << 21
"""Weights held at once (16 MB): it bounds memory for any number of scans or resamples."""
MOST_LEFT_OUT = 1000
"""With more patients none is left out in turn: what that would tell is nearly 0 then."""

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
    for drawn in draws(_count(groups), n_resamples, generator, n_scans=len(groups)):
        yield spread(drawn, groups)


def draws(
    n_patients: int, n_resamples: int, generator: np.random.Generator, *, n_scans: int
) -> Iterator[Ints]:
    """How often each patient was drawn, in chunks (b, P) of which `spread` makes those of scans."""
    rows = max(1, CHUNK_CELLS // max(1, n_scans))
    for start in range(0, n_resamples if n_patients else 0, rows):
        yield _draw(min(rows, n_resamples - start), n_patients, generator)


def left_out(n_patients: int, *, n_scans: int) -> Iterator[Ints]:
    """Every patient once but for each in turn, in chunks (b, P); none with fewer than 3."""
    rows = max(1, CHUNK_CELLS // max(1, n_scans))
    for start in range(0, n_patients if 2 < n_patients <= MOST_LEFT_OUT else 0, rows):
        chosen = np.arange(start, min(start + rows, n_patients))
        found = np.ones((len(chosen), n_patients), dtype=np.int64)
        found[np.arange(len(chosen)), chosen] = 0
        yield found


def spread(drawn: NDArray[Any], groups: Ints) -> NDArray[Any]:
    """From how often patients were drawn, (b, P), to the weights of their scans, (b, N)."""
    # (N, b) in memory: the metrics gather and cumulate over scans, for all resamples at once.
    return drawn.T[groups].T


def bootstrap(
    statistic: Statistic,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    raised: Collection[int] = (),
) -> list[Estimate]:
    """Estimates of all M values of ``statistic``, over the same resamples of patients.

    A resample in which a value is undefined is left out of that value's interval; where more than
    half are, or where there are fewer than two patients, the interval is None. ``n_resamples=0``
    asks for values alone. `raised`: the numbers of those values that are errors which resampling
    raises (see `centred_interval`).

    Examples
    --------
    >>> ages = np.array([50.0, 60.0, 61.0, 70.0])
    >>> mean = lambda weights: (weights @ ages / weights.sum(1))[:, None]
    >>> [estimate] = bootstrap(mean, ["a", "b", "b", "c"], generator=np.random.default_rng(0))
    >>> estimate.value, estimate.n_scans, estimate.n_patients
    (60.25, 4, 3)
    """
    groups = patient_groups(patients)

    def of_drawn(drawn: NDArray[Any]) -> Floats:
        return statistic(spread(drawn, groups))

    counts = (len(groups), _count(groups))
    return over_patients(
        of_drawn, counts, generator=generator, n_resamples=n_resamples, raised=raised
    )


def over_patients(
    statistic: Statistic,
    counts: tuple[int, int],
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    raised: Collection[int] = (),
) -> list[Estimate]:
    """`bootstrap` of a statistic that takes how often each patient was drawn, (B, P).

    `counts` are the numbers of scans and of patients. The draws are those of `bootstrap`.
    """
    n_scans, n_patients = counts
    values = statistic(np.ones((1, n_patients)))[0]
    if n_patients < 2 or not n_resamples:
        return [Estimate(defined(value), None, None, *counts) for value in values]
    chunks = draws(n_patients, n_resamples, generator, n_scans=n_scans)
    without = left_out(n_patients, n_scans=n_scans)
    none = np.empty((0, len(values)))
    resampled, lacking = (
        np.concatenate([none, *map(statistic, each)]).T for each in (chunks, without)
    )
    ends = [
        centred_interval(value, one)
        if number in raised
        else corrected_interval(value, one, other, n_patients)
        for number, (value, one, other) in enumerate(zip(values, resampled, lacking, strict=True))
    ]
    return [
        Estimate(defined(value), *both, *counts) for value, both in zip(values, ends, strict=True)
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


def _draw(n_rows: int, n_patients: int, generator: np.random.Generator) -> Ints:
    """How often each patient was drawn, (n_rows, P), in n_rows draws of P patients."""
    # Row by row: a row's counts stay in the processor's cache, however many patients there are.
    found = np.empty((n_rows, n_patients), dtype=np.int64)
    for row in found:
        row[:] = np.bincount(generator.integers(n_patients, size=n_patients), minlength=n_patients)
    return found


def _count(groups: Ints) -> int:
    return int(groups.max(initial=-1)) + 1
