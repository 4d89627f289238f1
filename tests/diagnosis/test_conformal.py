"""Prediction sets hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.diagnosis.conformal import conformal_cutoff, prediction_sets


def a_population(n_classes: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (4000, K) that are too sure of themselves, and labels."""
    labels = generator.integers(0, n_classes, 4000)
    scores = generator.normal(size=(4000, n_classes))
    scores[np.arange(4000), labels] += 1.0
    odds = np.exp(3 * scores)
    return odds / odds.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("coverage", [0.9, 0.8])
def test_sets_hold_the_reference_label_as_often_as_promised(
    n_classes: int, coverage: float
) -> None:
    generator = np.random.default_rng(0)
    probabilities, labels = a_population(n_classes, generator)
    held = []
    for _ in range(200):
        rows = generator.permutation(4000)
        few, others = rows[:79], rows[79:]
        cutoff = conformal_cutoff(probabilities[few], labels[few], coverage)
        inside = prediction_sets(probabilities[others], cutoff)
        held.append(inside[np.arange(len(others)), labels[others]].mean())
    # the likeliest class is always in: what that adds is small here
    assert coverage - 0.01 <= np.mean(held) <= coverage + 0.02


def test_the_cutoff_is_the_conformal_rank() -> None:
    p = np.arange(1, 20) / 20
    table = np.stack([1 - p, p], axis=1)
    labels = np.ones(19, np.int64)
    # 18 = ceil(20 * 0.9) of 19 reference labels must be in their sets: all but the least likely
    assert conformal_cutoff(table, labels, 0.9) == pytest.approx(2 / 20)
    assert prediction_sets(table, conformal_cutoff(table, labels, 0.9))[:, 1].sum() == 18


@pytest.mark.parametrize(("count", "enough"), [(0, False), (8, False), (9, True)])
def test_too_few_scans_leave_every_class_possible(count: int, enough: bool) -> None:
    table = np.tile([0.1, 0.9], (count, 1))
    cutoff = conformal_cutoff(table, np.ones(count, np.int64), 0.9)
    assert (cutoff > 0) == enough
    everything = prediction_sets(np.array([[0.999, 0.001]]), cutoff).all()
    assert everything != enough


def test_a_higher_coverage_makes_larger_sets() -> None:
    probabilities, labels = a_population(3, np.random.default_rng(1))
    cutoffs = [conformal_cutoff(probabilities, labels, c) for c in (0.5, 0.8, 0.9, 0.99)]
    assert cutoffs == sorted(cutoffs, reverse=True)
    sizes = [prediction_sets(probabilities, cutoff).sum() for cutoff in cutoffs]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize("cutoff", [0.0, 0.4, 1.0])
def test_a_set_is_never_empty_and_has_the_likeliest_class(cutoff: float) -> None:
    probabilities, _ = a_population(4, np.random.default_rng(2))
    found = prediction_sets(probabilities, cutoff)
    assert found.any(axis=1).all()
    assert found[np.arange(len(found)), probabilities.argmax(axis=1)].all()


def test_a_probability_equal_to_the_cutoff_is_in_whatever_way_it_was_rounded() -> None:
    generator = np.random.default_rng(0)
    for p in generator.random(200):
        table = np.tile([p, 1 - p], (19, 1))
        cutoff = conformal_cutoff(table, np.zeros(19, np.int64))
        assert prediction_sets(table, cutoff)[:, 0].all()


def test_probabilities_are_not_changed() -> None:
    table = np.array([[0.2, 0.8]])
    prediction_sets(table, 0.9)
    np.testing.assert_array_equal(table, [[0.2, 0.8]])


def test_the_decided_class_is_in_the_set_even_where_it_is_the_less_likely_one() -> None:
    table = np.array([[0.61, 0.39], [0.95, 0.05]])
    found = prediction_sets(table, 0.5, np.array([1, 0]))
    np.testing.assert_array_equal(found, [[True, True], [True, False]])
