"""Label curves: who has a label at each point, and how many labels a score takes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from benchmarks.label_draws import FRACTIONS, budgets, drawn
from benchmarks.label_summary import needed

from latentdx.metrics.crossed import Crossed

PATIENTS = np.repeat([f"patient {number}" for number in range(300)], 2)
LABELS = np.repeat(np.arange(300) % 3 == 0, 2).astype(np.int64)


def rows(fraction: float, draw: int = 0, name: str = "a set") -> set[int]:
    return set(drawn(LABELS, PATIENTS, fraction, name=name, draw=draw).tolist())


@pytest.mark.parametrize("draw", range(3))
def test_each_fraction_lies_within_the_next_larger(draw):
    held = [rows(fraction, draw) for fraction in FRACTIONS]
    assert all(small <= large for small, large in itertools.pairwise(held))
    assert len(held[0]) < len(held[-1]) == len(LABELS)


def test_all_scans_of_a_drawn_patient_are_there():
    chosen = drawn(LABELS, PATIENTS, 0.05, name="a set", draw=0)
    assert sorted(np.flatnonzero(np.isin(PATIENTS, PATIENTS[chosen]))) == chosen.tolist()


def test_a_patient_of_two_classes_brings_both_scans():
    labels = LABELS.copy()
    labels[::2] = 1 - labels[::2]
    chosen = drawn(labels, PATIENTS, 0.05, name="a set", draw=0)
    assert np.bincount(labels[chosen]).tolist() == [len(chosen) // 2] * 2


def test_each_class_has_its_fraction_and_two_at_least():
    told = budgets(LABELS, PATIENTS)
    assert told == {
        0.005: (2, 2),
        0.02: (4, 2),
        0.05: (10, 5),
        0.1: (20, 10),
        0.3: (60, 30),
        1.0: (200, 100),
    }
    for fraction, counts in told.items():
        chosen = drawn(LABELS, PATIENTS, fraction, name="a set", draw=1)
        found = [len(np.unique(PATIENTS[chosen][LABELS[chosen] == label])) for label in (0, 1)]
        assert tuple(found) == counts


def test_draws_and_sets_differ_and_are_repeated():
    assert rows(0.1) == rows(0.1)
    assert rows(0.1) != rows(0.1, draw=1)
    assert rows(0.1) != rows(0.1, name="another")


def curve(values: dict[int, float]) -> dict[int, Crossed]:
    return {n: Crossed(value, np.full(10, value), 50, 50) for n, value in values.items()}


def test_labels_needed_lie_between_two_points_over_the_logarithm():
    found = needed(curve({10: 0.6, 100: 0.8, 1000: 0.9}), curve({10: 0.5, 1000: 0.7}))
    assert found["patients"]["value"] == pytest.approx(10**1.5, abs=0.1)
    assert found["share"]["value"] == pytest.approx(10**1.5 / 1000, abs=1e-3)


def test_labels_needed_count_from_where_the_curve_stays_above():
    found = needed(curve({10: 0.8, 100: 0.6, 1000: 0.8}), curve({1000: 0.7}))
    assert found["patients"]["value"] == pytest.approx(10**2.5, abs=0.1)


def test_labels_needed_are_none_where_all_do_not_suffice_and_the_first_where_those_do():
    assert needed(curve({10: 0.6, 100: 0.7}), curve({100: 0.9}))["patients"]["value"] is None
    assert needed(curve({10: 0.6, 100: 0.7}), curve({100: 0.5}))["patients"]["value"] == 10
    assert needed(curve({10: 0.6, 100: 0.7}), curve({10: 0.5})) is None
