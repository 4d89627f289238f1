"""How often intervals hold the truth, in few made-up cohorts; ``benchmarks.statistics`` in many."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.cohorts import ALL_NAMES, AUROCS, draw_cohort, intervals, kinds, truths
from benchmarks.statistics import control_coverage, coverage

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.discrimination import auroc

N_COHORTS, N_PATIENTS = 200, 50
WATCHED = ("auroc", "balanced_accuracy", "sensitivity", "specificity", "brier", "matthews")
LEAST, MOST = 0.905, 0.99
"""Of 200 cohorts 95 % are held, give or take three standard errors of 1.5 %."""


@pytest.fixture(scope="module")
def held() -> dict[str, dict[str, float]]:
    """By way and metric, in cohorts whose patients' scans have one label."""
    true = truths(50_000, numpy_generator(0, "truth"))
    inside: dict[str, list[np.ndarray]] = {"corrected": [], "scans as patients": []}
    for number in range(N_COHORTS):
        kind = (AUROCS[number % len(AUROCS)], True)
        generator = numpy_generator(1, "cohort", number)
        cohort = draw_cohort(N_PATIENTS, *kind, generator)
        for way, ends in intervals(cohort, 1000, generator, tuple(inside)).items():
            inside[way].append((ends[:, 0] <= true[kind]) & (true[kind] <= ends[:, 1]))
    shares = {way: np.mean(rows, axis=0) for way, rows in inside.items()}
    return {way: dict(zip(ALL_NAMES, row.tolist(), strict=True)) for way, row in shares.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", WATCHED)
def test_intervals_of_fifty_patients_hold_the_truth_as_often_as_they_say(held, name):
    assert LEAST <= held["corrected"][name] <= MOST


@pytest.mark.slow
@pytest.mark.parametrize("name", ["auroc", "balanced_accuracy", "brier"])
def test_the_same_with_scans_for_patients_do_not(held, name):
    """What the tolerance is for: intervals that take scans as independent miss too often."""
    assert held["scans as patients"][name] < LEAST


@pytest.mark.slow
def test_the_controls_interval_holds_chance():
    assert control_coverage(200, seed=0)["held"] >= 0.93


def test_cohorts_are_what_they_say():
    generator = np.random.default_rng(0)
    for area, by_patient in kinds():
        cohort = draw_cohort(20_000, area, by_patient, generator)
        assert auroc(cohort.labels, cohort.probabilities) == pytest.approx(area, abs=0.01)
        assert cohort.labels.mean() == pytest.approx(0.3, abs=0.02)
        assert len(cohort.labels) == pytest.approx(50_000, rel=0.02)
        one_label = all(
            len(set(cohort.labels[cohort.patients == patient])) == 1 for patient in range(200)
        )
        assert one_label == by_patient


def test_what_is_counted_are_three_shares_that_make_one():
    found = coverage(50, 8, seed=0)
    assert set(found) == {"percentile", "corrected", "scans as patients"}
    for told in (each for way in found.values() for each in way.values()):
        parts = [told[name] for name in ("held", "truth below", "truth above")]
        assert sum(parts) == pytest.approx(1, abs=1e-3)
        assert 0 < told["cohorts"] <= 8
