"""Grades: what holds of every classifier, calibration and set where classes have an order."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from diagnosis_blobs import disc_scans
from sklearn.naive_bayes import GaussianNB

from latentdx.diagnosis.calibration_choice import fit_calibration
from latentdx.diagnosis.calibration_cumulative import median_class, without_gaps
from latentdx.diagnosis.calibrations import CALIBRATIONS, calibration_from, name_of
from latentdx.diagnosis.classifiers import CHOICES, choose, fit_classifier
from latentdx.diagnosis.head import HeadSettings, train_head
from latentdx.diagnosis.machines import ClassifierName, machine_from, to_arrays
from latentdx.diagnosis.machines_cumulative import scores_by_class
from latentdx.diagnosis.task import Task
from latentdx.metrics.grades import quadratic_kappa

SLOW = {"boosting", "forest", "mlp"}
names = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in get_args(ClassifierName)
]


def line(count: int, *, seed: int = 0, n_grades: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Features (count, 5) along a bent line, one end the lowest grade; and the grades."""
    generator = np.random.default_rng(seed)
    grades = np.arange(count) % n_grades
    at = grades + generator.normal(0, 0.4, count)
    found = generator.normal(0, 0.3, (count, 5))
    found[:, 0] += at
    found[:, 1] += np.sin(at)
    return found.astype(np.float32), grades


def fitted(name, features, grades, place=1):
    return fit_classifier(
        name, features, grades, n_classes=4, strength=CHOICES[name][place], ordered=True
    )


@pytest.mark.parametrize("name", names)
def test_every_classifier_tells_grades_and_is_the_same_from_its_arrays(name: ClassifierName):
    features, grades = line(400)
    machine = fitted(name, features, grades)
    new, truth = line(200, seed=1)
    scores = machine.scores(new)
    assert scores.shape == (200, 3)
    known = fit_calibration(
        "sigmoid", machine.scores(features), grades, [str(i) for i in range(400)], seed=0,
        ordered=True,
    )  # fmt: skip
    decided = median_class(known.probabilities(scores))
    assert quadratic_kappa(truth, decided) > 0.8
    again = machine_from(name, to_arrays(machine), ordered=True)
    np.testing.assert_array_equal(again.scores(new), scores)


def test_an_object_of_scikit_learn_is_cloned_for_each_step():
    features, grades = line(200)
    machine = fit_classifier(
        GaussianNB(), features, grades, n_classes=4, strength=0.0, ordered=True
    )
    assert machine.scores(features).shape == (200, 3)


def test_steps_are_asked_in_order():
    task = Task(np.zeros((4, 1), np.float32), np.array([0, 1, 2, 2]), 3, np.arange(4), True)
    assert [question.tolist() for question in task.questions()] == [[0, 1, 1, 1], [0, 0, 1, 1]]
    assert task.take(np.array([1, 2])).ordered


def test_the_strength_is_chosen_with_the_order_in_view():
    features, grades = line(120)
    form, strength = choose(
        "logistic", [features], grades, [str(i) for i in range(120)], seed=0, ordered=True
    )
    assert form == 0
    assert strength in CHOICES["logistic"]


@pytest.mark.parametrize("choice", [*CALIBRATIONS, "auto"])
def test_calibrated_probabilities_are_a_distribution_whatever_the_steps_say(choice):
    generator = np.random.default_rng(0)
    grades = np.arange(90) % 4
    scores = generator.normal(0, 2, (90, 3)).astype(np.float32)  # steps that cross
    scores += 0.3 * (grades[:, None] > np.arange(3))
    patients = [str(i) for i in range(90)]
    found = fit_calibration(choice, scores, grades, patients, seed=0, ordered=True)
    table = found.probabilities(scores)
    assert table.shape == (90, 4)
    assert table.min() >= 0
    np.testing.assert_allclose(table.sum(axis=1), 1)
    again = calibration_from(name_of(found), to_arrays(found), ordered=True)
    np.testing.assert_array_equal(again.probabilities(scores), table)


def test_the_median_has_the_least_expected_error():
    table = np.random.default_rng(0).dirichlet(np.ones(5), 200)
    away = np.abs(np.arange(5)[:, None] - np.arange(5))
    np.testing.assert_allclose(
        (table @ away)[np.arange(200), median_class(table)], (table @ away).min(axis=1)
    )


def test_sets_without_gaps_hold_what_they_held():
    inside = np.random.default_rng(0).random((100, 6)) < 0.3
    found = without_gaps(inside)
    assert (found >= inside).all()
    steps = np.abs(np.diff(found.astype(int), axis=1)).sum(axis=1) + found[:, 0] + found[:, -1]
    assert (steps[inside.any(axis=1)] == 2).all()
    assert not found[~inside.any(axis=1)].any()


def test_class_scores_follow_the_steps():
    scores = np.array([[-2.0, -3.0], [2.0, -1.0], [3.0, 1.0]], np.float32)
    assert scores_by_class(scores).argmax(axis=1).tolist() == [0, 1, 2]


def test_a_head_of_grades_decides_by_the_median_and_has_no_threshold():
    scans = disc_scans(60)
    labels = np.arange(60) // 2 % 3
    graded = type(scans)(
        scans.pixels * (1 + labels[:, None, None, None]).astype(np.float32) / 3,
        labels, scans.patients, scans.scan_ids, scans.parts, ("0", "1", "2"), "s",
    )  # fmt: skip
    settings = HeadSettings(classifier="logistic", rows=100, components=8, ordered=True)
    head = train_head(graded, graded, lambda pixels: pixels.reshape(len(pixels), -1), settings,
                      seed=0)  # fmt: skip
    assert head.ordered
    assert head.threshold is None
    assert head.classifier == "logistic"
    table = np.array([[0.4, 0.2, 0.4]])
    assert head.decide(table).tolist() == [1]
