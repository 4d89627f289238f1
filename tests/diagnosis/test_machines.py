"""Machines against scikit-learn's classifiers of the same settings, and their way to arrays."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from diagnosis_blobs import blobs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from latentdx.core.errors import StopError
from latentdx.diagnosis.classifiers import CHOICES, fit_classifier
from latentdx.diagnosis.machines import MACHINES, ClassifierName, machine_from, to_arrays

SLOW = {"boosting", "forest", "mlp"}
every_machine = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in get_args(ClassifierName)
    ],
)
some_classes = pytest.mark.parametrize("n_classes", [2, 3])


def uneven(n_classes: int, count: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Blobs of which the first class has three times as many scans as each other."""
    features, labels = blobs(count, n_classes=n_classes)
    keep = (labels == 0) | (np.arange(count) // n_classes % 3 == 0)
    return features[keep], labels[keep]


def one_against_rest(labels: np.ndarray, n_classes: int) -> list[np.ndarray]:
    asked = [1] if n_classes == 2 else range(n_classes)
    return [(labels == k).astype(int) for k in asked]


def test_names_are_those_of_the_type() -> None:
    assert set(MACHINES) == set(CHOICES) == set(get_args(ClassifierName))


@some_classes
@pytest.mark.parametrize("strength", [0.1, 10.0])
def test_the_svm_is_scikit_learns(n_classes: int, strength: float) -> None:
    features, labels = uneven(n_classes)
    new, _ = blobs(50, n_classes=n_classes, seed=1)
    machine = fit_classifier("svm", features, labels, n_classes=n_classes, strength=strength)
    for column, target in enumerate(one_against_rest(labels, n_classes)):
        svc = SVC(C=strength, gamma="scale", class_weight="balanced").fit(features, target)
        found = machine.scores(new)[:, column]
        np.testing.assert_allclose(found, svc.decision_function(new), atol=1e-4)


@some_classes
@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_the_logistic_regression_is_scikit_learns(n_classes: int, strength: float) -> None:
    features, labels = uneven(n_classes)
    new, _ = blobs(50, n_classes=n_classes, seed=1)
    machine = fit_classifier("logistic", features, labels, n_classes=n_classes, strength=strength)
    for column, target in enumerate(one_against_rest(labels, n_classes)):
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000)
        expected = model.fit(features, target).decision_function(new)
        np.testing.assert_allclose(machine.scores(new)[:, column], expected, atol=1e-4)


def test_neighbours_vote_as_scikit_learns_do_where_classes_are_even() -> None:
    features, labels = blobs(120)
    new, _ = blobs(60, seed=1)
    machine = fit_classifier("knn", features, labels, n_classes=2, strength=11)

    def weights(distance: np.ndarray) -> np.ndarray:
        return 1 / (distance + distance.mean(axis=1, keepdims=True) + 1e-6)

    model = KNeighborsClassifier(11, weights=weights).fit(features, labels)
    expected = 2 * model.predict_proba(new)[:, 1] - 1
    np.testing.assert_allclose(machine.scores(new)[:, 0], expected, atol=1e-4)


def test_neighbours_weigh_classes_alike() -> None:
    features = np.zeros((20, 2), np.float32)
    labels = np.array([0] * 16 + [1] * 4)
    machine = fit_classifier("knn", features, labels, n_classes=2, strength=20)
    assert machine.scores(features[:1]).item() == pytest.approx(0, abs=1e-6)
    assert machine.k == 20


def test_neighbours_are_never_more_than_there_are_scans() -> None:
    features, labels = blobs(8)
    machine = fit_classifier("knn", features, labels, n_classes=2, strength=41)
    assert machine.scores(features).shape == (8, 1)


@every_machine
@some_classes
def test_every_machine_tells_blobs_apart(name: ClassifierName, n_classes: int) -> None:
    features, labels = blobs(150, n_classes=n_classes, apart=3.0)
    new, truth = blobs(120, n_classes=n_classes, apart=3.0, seed=1)
    machine = fit_classifier(
        name, features, labels, n_classes=n_classes, strength=CHOICES[name][-1]
    )
    scores = machine.scores(new)
    assert scores.shape == (120, 1 if n_classes == 2 else n_classes)
    assert scores.dtype == np.float32
    for column, target in enumerate(one_against_rest(truth, n_classes)):
        assert roc_auc_score(target, scores[:, column]) > 0.95


@every_machine
def test_scores_are_the_same_in_blocks_and_one_by_one(
    name: ClassifierName, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = uneven(3)
    machine = fit_classifier(name, features, labels, n_classes=3, strength=CHOICES[name][0])
    whole = machine.scores(features)
    monkeypatch.setattr("latentdx.diagnosis.machine.BLOCK", 7)
    np.testing.assert_allclose(machine.scores(features), whole, atol=1e-5)
    alone = np.concatenate([machine.scores(row[None]) for row in features])
    np.testing.assert_allclose(alone, whole, atol=1e-5)


@every_machine
@some_classes
def test_arrays_make_the_machine_again(name: ClassifierName, n_classes: int) -> None:
    features, labels = uneven(n_classes)
    machine = fit_classifier(name, features, labels, n_classes=n_classes, strength=CHOICES[name][1])
    arrays = to_arrays(machine)
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    assert all(array.flags.c_contiguous for array in arrays.values())
    again = machine_from(name, arrays)
    assert type(again) is type(machine)
    np.testing.assert_array_equal(again.scores(features), machine.scores(features))
    arrays.popitem()
    with pytest.raises(KeyError):
        machine_from(name, arrays)


@every_machine
def test_a_missing_class_is_refused(name: ClassifierName) -> None:
    features, _ = blobs(12)
    for labels, n_classes in ((np.ones(12, np.int64), 2), (np.arange(12) % 2, 3)):
        with pytest.raises(StopError) as caught:
            fit_classifier(name, features, labels, n_classes=n_classes, strength=1)
        assert caught.value.code == "E_ONE_CLASS"
