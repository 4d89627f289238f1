"""The metrics that are told of the model alone: operating points, predictive values, calibration.

They stand beside those of `summarise`, over the same resamples where the generator is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.metrics.bootstrap import N_RESAMPLES, Patients, Statistic, bootstrap
from latentdx.metrics.calibration import balanced_brier, ece_debiased
from latentdx.metrics.decisions import at_prevalence, count_classes, matthews_of
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.metric import Floats, Ints, as_rows
from latentdx.metrics.operating import OPERATING_NAMES, operating_points
from latentdx.metrics.recalibration import RECALIBRATION_NAMES, recalibration
from latentdx.metrics.summary import checked, raised_in

OF_ALL = (*OPERATING_NAMES, "matthews", "balanced_brier", "ece_debiased")
OF_TWO = ("ppv_at_prevalence", "npv_at_prevalence", *RECALIBRATION_NAMES)
"""Only where there are two classes: one prevalence, one probability to recalibrate."""


def further_names(n_classes: int) -> tuple[str, ...]:
    """The names of what `summarise_further` tells of so many classes.

    Examples
    --------
    >>> set(further_names(2)) - set(further_names(3)) == set(OF_TWO)
    True
    """
    return (*OF_ALL, *OF_TWO) if n_classes == 2 else OF_ALL


def summarise_further(  # noqa: PLR0913 - what is scored, and how
    labels: ArrayLike,
    probabilities: ArrayLike,
    decisions: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    prevalence: float | None = None,
) -> dict[str, Estimate]:
    """All of `further_names` with 95 % patient-cluster bootstrap intervals, by name.

    Arguments and errors are `summarise`'s. `prevalence`: the share of positive scans for which
    predictive values are told, held fixed in resamples; None: the share among these.

    Examples
    --------
    >>> p = np.array([0.2, 0.6, 0.7, 0.9])
    >>> table, generator = np.stack([1 - p, p], axis=1), np.random.default_rng(0)
    >>> found = summarise_further(
    ...     [0, 0, 1, 1], table, p > 0.5, "abcd", generator=generator, prevalence=0.1
    ... )
    >>> found["sensitivity_at_specificity_90"].value, round(found["ppv_at_prevalence"].value, 3)
    (1.0, 0.182)
    """
    truth, table, decided = checked(labels, probabilities, decisions, patients)
    share = float((truth == 1).mean()) if prevalence is None and len(truth) else prevalence or 0.0
    statistic = further_of(truth, table, decided, share)
    names = further_names(table.shape[1])
    found = bootstrap(
        statistic,
        patients,
        generator=generator,
        n_resamples=n_resamples,
        raised=raised_in(names),
    )
    return dict(zip(names, found, strict=True))


def further_of(
    labels: Ints, probabilities: Floats, decisions: Ints, prevalence: float
) -> Statistic:
    """From weights (B, N) to the values (B, M) of `further_names` of checked arrays."""
    n_classes = probabilities.shape[1]

    def statistic(drawn: NDArray[Any]) -> Floats:
        weights = as_rows(drawn, len(labels))
        counts = count_classes(labels, decisions, weights, n_classes=n_classes)
        columns = [
            operating_points(labels, probabilities, weights),
            matthews_of(counts)[:, None],
            balanced_brier(labels, probabilities, weights=weights)[:, None],
            ece_debiased(labels, probabilities, weights=weights)[:, None],
        ]
        if n_classes == 2:
            columns += [each[:, None] for each in at_prevalence(counts, prevalence)]
            columns.append(recalibration(labels, probabilities, weights))
        return np.concatenate(columns, axis=1)

    return statistic
