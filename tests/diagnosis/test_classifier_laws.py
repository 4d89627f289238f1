"""What holds of every classifier by name, and each against scikit-learn's own."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from diagnosis_blobs import blobs
from scipy.special import expit
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from latentdx.core.errors import StopError
from latentdx.diagnosis.classifiers import CHOICES, fit_classifier
from latentdx.diagnosis.fit_trees import _rounded_down
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.task import Task, kernel_width

SLOW = {"boosting", "forest", "mlp"}
names = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in get_args(ClassifierName)
]
every_machine = pytest.mark.parametrize("name", names)
some_classes = pytest.mark.parametrize("n_classes", [2, 3])


def fitted(name, features, labels, n_classes=2, place=1):
    strength = CHOICES[name][place]
    return fit_classifier(name, features, labels, n_classes=n_classes, strength=strength)


def questions(labels: np.ndarray, n_classes: int) -> list[np.ndarray]:
    return Task(np.zeros((len(labels), 1), np.float32), labels, n_classes, labels).questions()


@every_machine
@some_classes
def test_nine_to_one_does_not_collapse(name: ClassifierName, n_classes: int) -> None:
    """Nine in ten scans are of class 0, as far from the others as they are from each other."""
    features, labels = blobs(600, n_classes=n_classes, apart=1.8)
    kept = (labels == 0) | (np.arange(600) // n_classes % 9 == 0)
    new, truth = blobs(300, n_classes=n_classes, apart=1.8, seed=1)
    scores = fitted(name, features[kept], labels[kept], n_classes).scores(new)
    decided = (scores[:, 0] >= 0).astype(int) if n_classes == 2 else scores.argmax(axis=1)
    recalls = [(decided[truth == k] == k).mean() for k in range(n_classes)]
    assert min(recalls) > 0.35
    assert np.mean(recalls) > 0.6


@every_machine
def test_the_same_data_give_the_same_scores(name: ClassifierName) -> None:
    features, labels = blobs(40, n_classes=3)
    np.random.seed(1)
    first = fitted(name, features, labels, 3).scores(features)
    np.random.seed(2)
    np.testing.assert_array_equal(fitted(name, features, labels, 3).scores(features), first)


@some_classes
@pytest.mark.parametrize("strength", CHOICES["linear-svm"])
def test_the_linear_svm_is_scikit_learns(n_classes: int, strength: float) -> None:
    features, labels = blobs(90, n_classes=n_classes)
    machine = fit_classifier("linear-svm", features, labels, n_classes=n_classes, strength=strength)
    for column, target in enumerate(questions(labels, n_classes)):
        svm = LinearSVC(C=strength, class_weight="balanced", dual=False).fit(features, target)
        expected = svm.decision_function(features)
        np.testing.assert_allclose(machine.scores(features)[:, column], expected, atol=1e-4)


@pytest.mark.parametrize("strength", CHOICES["prototypes"])
def test_prototypes_are_scikit_learns_discriminant(strength: float) -> None:
    for n_classes in (2, 3):
        features, labels = blobs(90, n_classes=n_classes)
        given = {"n_classes": n_classes, "strength": strength}
        scores = fit_classifier("prototypes", features, labels, **given).scores(features)
        model = LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage=strength, priors=np.full(n_classes, 1 / n_classes)
        )
        told = model.fit(features.astype(float), labels).decision_function(features)
        if n_classes == 2:
            np.testing.assert_allclose(scores[:, 0], told, atol=1e-4)
            continue
        for k in range(n_classes):
            others = np.delete(told, k, axis=1).mean(axis=1)
            np.testing.assert_allclose(scores[:, k], told[:, k] - others, atol=1e-4)


def test_wholly_shrunken_prototypes_are_the_nearest_mean() -> None:
    features, labels = blobs(30)
    machine = fit_classifier("prototypes", features, labels, n_classes=2, strength=1.0)
    means = np.stack([features[labels == k].mean(axis=0) for k in (0, 1)])
    near = ((features[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal((machine.scores(features)[:, 0] > 0).astype(int), near)


@some_classes
@pytest.mark.slow
def test_the_forest_is_scikit_learns(n_classes: int) -> None:
    features, labels = blobs(160, n_classes=n_classes)
    new, _ = blobs(200, n_classes=n_classes, seed=1)
    new = np.concatenate([new, features])  # on the very cuts, too
    machine = fit_classifier("forest", features, labels, n_classes=n_classes, strength=8)
    for column, target in enumerate(questions(labels, n_classes)):
        forest = RandomForestClassifier(100, max_depth=8, class_weight="balanced", random_state=0)
        expected = 2 * forest.fit(features, target).predict_proba(new)[:, 1] - 1
        np.testing.assert_allclose(machine.scores(new)[:, column], expected, atol=1e-4)


@some_classes
@pytest.mark.slow
def test_boosting_is_scikit_learns(n_classes: int) -> None:
    features, labels = blobs(160, n_classes=n_classes)
    new, _ = blobs(200, n_classes=n_classes, seed=1)
    new = np.concatenate([new, features])
    machine = fit_classifier("boosting", features, labels, n_classes=n_classes, strength=40)
    for column, target in enumerate(questions(labels, n_classes)):
        model = HistGradientBoostingClassifier(
            max_iter=40,
            max_leaf_nodes=8,
            min_samples_leaf=5,
            l2_regularization=1.0,
            max_features=0.3,
            max_bins=63,
            class_weight="balanced",
            early_stopping=False,
            random_state=0,
        )
        expected = model.fit(features, target).decision_function(new)
        np.testing.assert_allclose(machine.scores(new)[:, column], expected, atol=1e-4)


def test_a_cut_between_two_neighbouring_float32_parts_them() -> None:
    below = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    above = np.nextafter(below, np.float32(np.inf))
    cuts = (below.astype(np.float64) + above) / 2
    rounded = _rounded_down(cuts)
    assert rounded.dtype == np.float32
    assert (below <= rounded).all()
    assert (above > rounded).all()
    np.testing.assert_array_equal(_rounded_down(below.astype(np.float64)), below)


@some_classes
@pytest.mark.slow
def test_the_network_is_scikit_learns(n_classes: int) -> None:
    features, labels = blobs(90, n_classes=n_classes)
    machine = fit_classifier("mlp", features, labels, n_classes=n_classes, strength=1.0)
    model = MLPClassifier((64,), alpha=1.0, batch_size=90, learning_rate_init=2e-3, random_state=0)
    weights, classes = np.ones(90), np.arange(n_classes)
    for _ in range(200):
        model.partial_fit(features, labels, sample_weight=weights, classes=classes)
    chances = model.predict_proba(features)[:, 1 if n_classes == 2 else slice(None)]
    found = expit(machine.scores(features))
    np.testing.assert_allclose(found, chances.reshape(90, -1), atol=1e-4)


def test_the_gaussian_process_is_scikit_learns_where_classes_are_even() -> None:
    features, labels = blobs(80)
    kernel = ConstantKernel(3.0) * RBF((0.5 / kernel_width(features)) ** 0.5)
    model = GaussianProcessClassifier(kernel, optimizer=None).fit(features, labels)
    new, _ = blobs(50, seed=1)
    machine = fit_classifier("gaussian-process", features, labels, n_classes=2, strength=3.0)
    mean, variance = model.latent_mean_and_variance(new)
    expected = mean / np.sqrt(1 + np.pi / 8 * variance)
    np.testing.assert_allclose(machine.scores(new)[:, 0], expected, atol=1e-4)
    chance = model.predict_proba(new)[:, 1]
    np.testing.assert_allclose(expected, np.log(chance / (1 - chance)), atol=0.15)


def test_a_gaussian_process_of_many_rows_is_refused() -> None:
    features, labels = blobs(1001)
    with pytest.raises(StopError, match="1000") as caught:
        fit_classifier("gaussian-process", features, labels, n_classes=2, strength=1.0)
    assert caught.value.code == "E_TOO_MANY"


def test_stacking_is_scikit_learns_of_the_same_parts_and_folds() -> None:
    features, labels = blobs(120, apart=1.0)
    patients = np.repeat(np.arange(30), 4)
    labels = labels[np.argsort(patients * 2 + labels, kind="stable")]
    machine = fit_classifier(
        "stacking",
        features,
        labels,
        n_classes=2,
        strength=0.1,
        patients=patients.astype(str).tolist(),
    )
    parts = [
        ("svm", SVC(C=1.0, class_weight="balanced")),
        ("logistic", LogisticRegression(C=0.01, class_weight="balanced")),
        ("prototypes", LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5, priors=[0.5, 0.5])),
    ]
    upper = LogisticRegression(C=0.1, class_weight="balanced")
    model = StackingClassifier(
        parts,
        make_pipeline(StandardScaler(with_mean=False), upper),
        cv=patient_folds(labels, patients, 3, seed=0),
        stack_method="decision_function",
    )
    model.fit(features, labels)
    # the width of the kernel of a fold is that of its own rows in both
    expected = model.decision_function(features)
    np.testing.assert_allclose(machine.scores(features)[:, 0], expected, atol=1e-3)


def test_a_stack_without_folds_averages() -> None:
    features, labels = blobs(20)
    patients = [f"P{label}" for label in labels]
    given = {"n_classes": 2, "strength": 0.1, "patients": patients}
    scores = fit_classifier("stacking", features, labels, **given).scores(features)
    assert ((scores[:, 0] > 0) == labels).mean() > 0.9


@pytest.mark.parametrize("name", ["random", ""])
def test_a_name_that_there_is_not_is_refused(name: str) -> None:
    features, labels = blobs(8)
    with pytest.raises(StopError, match="prototypes") as caught:
        fit_classifier(name, features, labels, n_classes=2, strength=1)  # type: ignore[arg-type]
    assert caught.value.code == "E_CLASSIFIER"
