"""The SVM of many rows: as good as the exact one, the same with blocks and passes as at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import cho_factor

from latentdx.diagnosis import fit_svm, fit_svm_large
from latentdx.diagnosis.classifiers import fit_classifier
from latentdx.diagnosis.fit_svm import fit_exact_svm
from latentdx.diagnosis.fit_svm_large import fit_large_svm
from latentdx.diagnosis.quasi_newton import minimised
from latentdx.diagnosis.task import Task, kernel_width


def rings(count: int, *, n_classes: int = 2, seed: int = 0) -> Task:
    """Rings around each other, in 4 columns of which 2 are noise: no line parts them."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % n_classes
    angle = generator.uniform(0, 2 * np.pi, count)
    radius = 1 + labels + 0.35 * generator.normal(size=count)
    noise = 0.5 * generator.normal(size=(2, count))
    features = np.stack([radius * np.cos(angle), radius * np.sin(angle), *noise], axis=1)
    return Task(features.astype(np.float32), labels, n_classes, np.arange(count))


def accuracy(machine, task: Task) -> float:
    scores = machine.scores(task.features)
    decided = (scores[:, 0] >= 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)
    return float((decided == task.labels).mean())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_landmarks_decide_as_well_as_the_exact_svm(n_classes: int) -> None:
    train, new = rings(1200, n_classes=n_classes), rings(1500, n_classes=n_classes, seed=1)
    exact = accuracy(fit_exact_svm(train, 1.0), new)
    large = fit_large_svm(train, 1.0, n_landmarks=100, n_subsample=400)
    assert exact > 0.8
    assert accuracy(large, new) > exact - 0.01
    assert large.vectors.shape == (100, 4)


def test_passes_over_all_rows_reach_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subsample and steps on all rows come to where Newton on all rows does."""
    task = rings(1500)
    at_once = fit_large_svm(task, 1.0, n_landmarks=60, n_subsample=1500)
    for name, value in (("_PASSES", 40), ("_ENOUGH", 1e-9), ("_BLOCK", 128)):
        monkeypatch.setattr(fit_svm_large, name, value)
    by_steps = fit_large_svm(task, 1.0, n_landmarks=60, n_subsample=500)
    new = rings(300, seed=1).features
    np.testing.assert_allclose(by_steps.scores(new), at_once.scores(new), atol=0.02)


def test_rare_classes_have_landmarks_and_weigh_the_same() -> None:
    task = rings(4000)
    kept = np.flatnonzero((task.labels == 0) | (np.arange(4000) % 80 == 1))
    machine = fit_large_svm(task.take(kept), 1.0, n_landmarks=60, n_subsample=300)
    new = rings(1000, seed=1)
    decided = machine.scores(new.features)[:, 0] >= 0
    assert decided[new.labels == 1].mean() > 0.7
    assert decided[new.labels == 0].mean() < 0.3


def test_features_may_be_a_memory_map(tmp_path) -> None:
    task = rings(900)
    place = tmp_path / "features.npy"
    np.save(place, task.features)
    mapped = Task(np.load(place, mmap_mode="r"), task.labels, 2, task.groups)
    assert kernel_width(mapped.features) == kernel_width(task.features)
    first, second = (
        fit_large_svm(each, 1.0, n_landmarks=40, n_subsample=200) for each in (task, mapped)
    )
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_the_width_of_the_kernel_is_scikit_learns() -> None:
    features = rings(100).features + 3
    assert kernel_width(features) == pytest.approx(1 / (4 * features.var()), rel=1e-5)


def test_by_name_many_rows_go_by_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    task = rings(500)
    monkeypatch.setattr(fit_svm, "EXACT_ROWS", 499)
    given = {"n_classes": 2, "strength": 1.0}
    many = fit_classifier("svm", task.features, task.labels, **given)
    np.testing.assert_array_equal(many.coefficients, fit_large_svm(task, 1.0).coefficients)
    few = fit_classifier("svm", task.features[:499], task.labels[:499], **given)
    exact = fit_exact_svm(task.take(np.arange(499)), 1.0)
    np.testing.assert_array_equal(few.scores(task.features), exact.scores(task.features))


def test_steps_find_the_least_of_a_bowl_from_a_wrong_curvature() -> None:
    generator = np.random.default_rng(0)
    root = generator.normal(size=(6, 6))
    bowl, middle = root @ root.T + np.eye(6), generator.normal(size=(6, 2))

    def loss(places):
        away = places - middle
        return 0.5 * (away * (bowl @ away)).sum(axis=0), bowl @ away

    wrong = [cho_factor(bowl + 0.3 * np.eye(6)), cho_factor(0.3 * bowl)]
    found = minimised(loss, np.zeros((6, 2)), wrong, passes=60, enough=1e-14)
    np.testing.assert_allclose(found, middle, atol=1e-4)
