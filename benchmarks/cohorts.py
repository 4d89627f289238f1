"""Made-up cohorts of which the truth is known: patients with several scans, scored by some model.

A patient's scans share part of what chance adds to their scores, so that they are not independent
evidence. A model of which the AUROC is known states probabilities that are too extreme by a half,
in log odds: so no metric's truth lies where it cannot be missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from latentdx.metrics.bootstrap import cluster_weights, left_out, patient_groups, spread
from latentdx.metrics.further import further_names, further_of
from latentdx.metrics.intervals import centred_interval, corrected_interval, percentile_interval
from latentdx.metrics.summary import NAMES, raised_in, statistic_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AUROCS = (0.7, 0.8, 0.9, 0.95)
PREVALENCE, TOO_EXTREME, THRESHOLD = 0.3, 1.5, 0.4
WAYS = ("percentile", "corrected", "scans as patients")
ALL_NAMES = (*NAMES, *further_names(2))


@dataclass(frozen=True)
class Cohort:
    """Labels, probabilities (N, 2) and decisions of N scans, and the patients that they are of."""

    labels: Ints
    probabilities: Floats
    decisions: Ints
    patients: Ints

    def values(self, weights: NDArray[Any]) -> Floats:
        """Every metric of `ALL_NAMES`, (B, M), from weights (B, N)."""
        parts = (self.labels, self.probabilities, self.decisions)
        both = statistic_of(*parts)(weights), further_of(*parts, PREVALENCE)(weights)
        return np.concatenate(both, axis=1)


def draw_cohort(
    n_patients: int, auroc: float, by_patient: bool, generator: np.random.Generator
) -> Cohort:
    """1 to 4 scans a patient, all of one label (`by_patient`) or each with its own."""
    patients = np.repeat(np.arange(n_patients), generator.integers(1, 5, n_patients))
    sick = generator.random(n_patients if by_patient else len(patients)) < PREVALENCE
    labels = (sick[patients] if by_patient else sick).astype(np.int64)
    apart = np.sqrt(2) * ndtri(auroc)
    chance = generator.normal(size=n_patients)[patients] + generator.normal(size=len(patients))
    scores = apart * labels + chance / np.sqrt(2)
    odds = apart * scores - apart**2 / 2 + np.log(PREVALENCE / (1 - PREVALENCE))
    stated = expit(TOO_EXTREME * odds)
    table = np.stack([1 - stated, stated], axis=1)
    return Cohort(labels, table, (stated >= THRESHOLD).astype(np.int64), patients)


def kinds() -> list[tuple[float, bool]]:
    """AUROC, and whether a patient's scans have one label: all that cohorts are drawn of."""
    return [(auroc, by_patient) for auroc in AUROCS for by_patient in (True, False)]


def truths(n_patients: int, generator: np.random.Generator) -> dict[tuple[float, bool], Floats]:
    """Every metric's value in a cohort so large that it is the truth, by kind of cohort."""
    found = {}
    for kind in kinds():
        cohort = draw_cohort(n_patients, *kind, generator)
        found[kind] = cohort.values(np.ones((1, len(cohort.labels))))[0]
        found[kind][0] = kind[0]
    return found


def intervals(
    cohort: Cohort, n_resamples: int, generator: np.random.Generator, ways: Sequence[str] = WAYS
) -> dict[str, Floats]:
    """By way the ends (M, 2) of every metric's interval, NaN where it has none."""
    found = {}
    for way in ways:
        alone = way == "scans as patients"
        groups = np.arange(len(cohort.labels)) if alone else patient_groups(cohort.patients)
        found[way] = _ends(cohort, groups, way != "percentile", n_resamples, generator)
    return found


def _ends(
    cohort: Cohort,
    groups: Ints,
    corrected: bool,
    n_resamples: int,
    generator: np.random.Generator,
) -> Floats:
    value = cohort.values(np.ones((1, len(groups))))[0]
    drawn = cluster_weights(groups, n_resamples, generator)
    resampled = np.concatenate([cohort.values(chunk) for chunk in drawn]).T
    if not corrected:
        return np.array([percentile_interval(each) for each in resampled], np.float64)
    without = np.concatenate(list(_without(cohort, groups))).T
    count = int(groups.max()) + 1
    raised = raised_in(ALL_NAMES)
    found = [
        centred_interval(value[place], resampled[place])
        if place in raised
        else corrected_interval(value[place], resampled[place], without[place], count)
        for place in range(len(value))
    ]
    return np.array(found, np.float64)


def _without(cohort: Cohort, groups: Ints) -> Iterator[Floats]:
    yield np.empty((0, len(ALL_NAMES)))
    for each in left_out(int(groups.max()) + 1, n_scans=len(groups)):
        yield cohort.values(spread(each, groups))
