"""Answers are wrong no more often than promised, as often as promised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from latentdx.diagnosis.abstain import (
    RiskControl,
    confidences,
    control_risk,
    cutoffs_for,
    fewest_patients,
)


def names(count: int) -> list[str]:
    return [str(row) for row in range(count)]


def risk_above(cutoff: float) -> float:
    """P(wrong) above a cutoff where confidence is uniform on 0.5..1 and 0.1 too high."""
    return 1 - ((1 + cutoff) / 2 - 0.1)


@pytest.mark.parametrize("count", [100, 400])
def test_the_promise_is_broken_as_rarely_as_stated(count: int) -> None:
    generator = np.random.default_rng(0)
    broken, answered = [], []
    for _ in range(400):
        sure = generator.uniform(0.5, 1, count)
        right = generator.random(count) < sure - 0.1
        found = control_risk(sure, right, names(count), 0.2, seed=0)
        if found.cutoff is not None:
            answered.append(found.n_answered)
            broken.append(risk_above(max(found.cutoff, 0.5)) > 0.2 + 1e-9)
    assert len(answered) > 10
    assert sum(broken) / 400 <= 0.1


def test_more_scans_answer_more_and_a_perfect_model_answers_all() -> None:
    sure = np.linspace(0.5, 1, 1000)
    every = control_risk(sure, np.ones(1000, bool), names(1000), 0.05, seed=0)
    assert (every.cutoff, every.n_answered, every.n_wrong) == (0.0, 1000, 0)
    assert every.largest_risk() == pytest.approx(1 - 0.1 ** (1 / 1000))


def test_too_few_or_too_many_mistakes_promise_nothing() -> None:
    needed = fewest_patients(0.05)
    for count, reached in ((needed - 1, False), (needed, True)):
        found = control_risk(
            np.full(count, 0.999), np.ones(count, bool), names(count), 0.05, seed=0
        )
        assert (found.cutoff is not None) == reached
    wrong = control_risk(np.full(500, 0.999), np.arange(500) % 5 > 0, names(500), 0.05, seed=0)
    assert wrong.cutoff is None
    assert wrong.answers(np.array([[0.5, 0.5]]), np.array([1])).all()
    assert wrong.largest_risk() == 1


def test_no_scan_at_all() -> None:
    found = control_risk(np.zeros(0), np.zeros(0, bool), [], 0.1, seed=0)
    assert (found.cutoff, found.n_patients) == (None, 0)


def test_scans_of_a_patient_count_as_one() -> None:
    """Fifty copies of each of ten patients say no more than ten patients."""
    sure, right = np.full(500, 0.999), np.ones(500, bool)
    assert control_risk(sure, right, names(500), 0.05, seed=0).cutoff is not None
    copies = [f"P{row % 10}" for row in range(500)]
    assert control_risk(sure, right, copies, 0.05, seed=0).cutoff is None
    assert control_risk(sure, right, copies, 0.05, seed=0).n_patients == 10


def test_equal_confidences_are_answered_together() -> None:
    rule = RiskControl(0.1, 0.9, 0.7, 0, 0, 0)
    table = np.array([[0.3, 0.7], [0.7, 0.3], [0.31, 0.69]])
    decided = np.array([1, 0, 1])
    assert confidences(table, decided).tolist() == [0.7, 0.7, 0.69]
    assert rule.answers(table, decided).tolist() == [True, True, False]


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    rule = RiskControl(0.1, 0.9, 0.7, 100, 80, 3)
    interval = binomtest(3, 80).proportion_ci(0.8)  # one-sided 90 %
    assert rule.largest_risk() == pytest.approx(interval.high, abs=1e-6)


@pytest.mark.parametrize("risk", [0.001, 0.05, 0.5, 0.99])
def test_cutoffs_fall_to_nothing(risk: float) -> None:
    found = cutoffs_for(risk)
    assert found[-1] == 0
    assert (np.diff(found) < 0).all()
    assert found[0] == pytest.approx(1 - risk / 2)
