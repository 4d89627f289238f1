"""The strength: reproducible, by patients, and the simplest of those that are as good."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from diagnosis_blobs import blobs
from sklearn.model_selection import StratifiedGroupKFold

from latentdx.diagnosis import classifiers, simplest
from latentdx.diagnosis.classifiers import CHOICES, choose_strength
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.simplest import tuning_rows

SLOW = {"boosting", "forest", "mlp", "stacking"}
every_machine = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in get_args(ClassifierName)
    ],
)


def own_patients(count: int) -> list[str]:
    return [f"P{row}" for row in range(count)]


def losses_are(monkeypatch: pytest.MonkeyPatch, table: dict[float, list[float]]) -> None:
    def given(name: str, value: float, *rest: Any) -> np.ndarray:
        return np.array(table[value])

    monkeypatch.setattr(classifiers, "_losses", given)


def chosen(name: ClassifierName = "svm", count: int = 40) -> float:
    features, labels = blobs(count)
    return choose_strength(name, features, labels, own_patients(count), seed=0)


@every_machine
def test_the_choice_is_reproducible_and_one_of_those_offered(name: ClassifierName) -> None:
    features, labels = blobs(60, apart=1.0)
    patients = own_patients(60)
    np.random.seed(1)
    first = choose_strength(name, features, labels, patients, seed=3)
    np.random.seed(2)
    assert choose_strength(name, features, labels, patients, seed=3) == first
    assert first in CHOICES[name]


def test_choices_go_from_simple_to_flexible() -> None:
    assert list(CHOICES["svm"]) == sorted(CHOICES["svm"])
    assert list(CHOICES["logistic"]) == sorted(CHOICES["logistic"])
    for name in ("linear-svm", "boosting", "forest", "gaussian-process", "stacking"):
        assert list(CHOICES[name]) == sorted(CHOICES[name])
    for name in ("knn", "prototypes", "mlp"):
        assert list(CHOICES[name]) == sorted(CHOICES[name], reverse=True)


def test_the_simplest_within_one_standard_error_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # the best is 1.0; its standard error is 0.1 * sqrt(5 / 4) / sqrt(5) = 0.05
    best = [0.4, 0.6, 0.4, 0.6, 0.5]
    error = np.std(best, ddof=1) / np.sqrt(5)
    near, far = [0.5 + 0.9 * error] * 5, [0.5 + 1.1 * error] * 5
    losses_are(monkeypatch, {0.1: far, 0.3: near, 1.0: best, 3.0: near, 10.0: far})
    assert chosen() == 0.3
    losses_are(monkeypatch, {0.1: far, 0.3: far, 1.0: best, 3.0: near, 10.0: near})
    assert chosen() == 1.0


def test_a_hard_but_learnable_task_takes_more_than_the_simplest() -> None:
    generator = np.random.default_rng(0)
    features = generator.uniform(-1, 1, (200, 2)).astype(np.float32)
    labels = (features[:, 0] * features[:, 1] > 0).astype(np.int64)
    assert choose_strength("svm", features, labels, own_patients(200), seed=0) > 0.3
    assert choose_strength("svm", features, labels[::-1], own_patients(200), seed=0) == 0.1


def test_a_patients_scans_are_never_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[set[str], set[str]]] = []
    patients = np.array([f"P{row // 4}" for row in range(80)])

    class Watched(StratifiedGroupKFold):
        def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
            for train, held_out in super().split(X, y, groups):
                seen.append((set(patients[train]), set(patients[held_out])))
                yield train, held_out

    monkeypatch.setattr("sklearn.model_selection.StratifiedGroupKFold", Watched)
    features, labels = blobs(80)
    choose_strength("logistic", features, labels, patients.tolist(), seed=0)
    assert len(seen) == 5
    assert not any(train & held_out for train, held_out in seen)


def test_copies_of_a_patient_do_not_buy_a_flexible_classifier() -> None:
    """Labels are drawn by patient: only one who sees a patient on both sides does well."""
    generator = np.random.default_rng(0)
    patients = np.repeat(np.arange(40), 5)
    centres = 3 * generator.normal(size=(40, 8))
    features = (centres[patients] + 0.05 * generator.normal(size=(200, 8))).astype(np.float32)
    labels = generator.permutation(np.arange(40) % 2)[patients]
    grouped = choose_strength("svm", features, labels, patients.astype(str).tolist(), seed=0)
    leaking = choose_strength("svm", features, labels, own_patients(200), seed=0)
    assert grouped == CHOICES["svm"][0]
    assert leaking > grouped


def test_tuning_takes_whole_patients_until_there_are_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simplest, "TUNING_SCANS", 30)
    groups = np.array([f"P{row % 20}" for row in range(100)])
    rows = tuning_rows(groups, 0)
    assert rows.tolist() == sorted(set(rows.tolist()))
    names, counts = np.unique(groups[rows], return_counts=True)
    assert len(names) == 6
    assert set(counts) == {5}
    assert set(tuning_rows(groups, 1)) != set(rows)
    np.testing.assert_array_equal(tuning_rows(groups, 0), rows)
    np.testing.assert_array_equal(tuning_rows(groups[:30], 0), np.arange(30))


@every_machine
def test_without_two_patients_of_a_class_the_middle_is_taken(name: ClassifierName) -> None:
    features, labels = blobs(20)
    patients = [f"P{label}" for label in labels]
    values = CHOICES[name]
    assert choose_strength(name, features, labels, patients, seed=0) == values[len(values) // 2]


@every_machine
def test_where_what_is_fitted_would_lack_a_class_the_middle_is_taken(
    name: ClassifierName,
) -> None:
    # of two folds each is one patient, and the small one has scans of class 1 only
    features, _ = blobs(10)
    patients = ["large"] * 9 + ["small"]
    labels = np.array([0] * 4 + [1] * 5 + [1])
    values = CHOICES[name]
    found = choose_strength(name, features, labels, [*patients], seed=0)
    assert found == values[len(values) // 2]


def test_a_class_that_no_tuning_scan_has_is_not_missed() -> None:
    features, _ = blobs(20)
    labels = np.arange(20) % 2 * 2  # classes 0 and 2
    assert choose_strength("svm", features, labels, own_patients(20), seed=0) == 1.0
