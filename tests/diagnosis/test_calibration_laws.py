"""What every calibration keeps to, whatever its shape; and which one is chosen."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy.special import expit

from latentdx.diagnosis.calibration_choice import choose_calibration, fit_calibration
from latentdx.diagnosis.calibrations import (
    CALIBRATIONS,
    CalibrationName,
    calibration_from,
    name_of,
)
from latentdx.diagnosis.machines import to_arrays
from latentdx.metrics.calibration import ece, log_loss

Arrays = tuple[np.ndarray, np.ndarray]

every = pytest.mark.parametrize("name", get_args(CalibrationName))


def drawn(count: int, n_classes: int = 2, *, share: float = 0.5, seed: int = 0) -> Arrays:
    """Balanced log-odds as scores (N, Q), and labels of which the last class has this share."""
    generator = np.random.default_rng(seed)
    others = [(1 - share) / (n_classes - 1)] * (n_classes - 1)
    labels = generator.choice(n_classes, count, p=[*others, share])
    if n_classes == 2:
        scores = generator.normal(2 * labels - 1.0, 1.0)[:, None]
    else:
        scores = generator.normal(size=(count, n_classes))
        scores[np.arange(count), labels] += 2
    return scores.astype(np.float32), labels


@every
@pytest.mark.parametrize("n_classes", [2, 4])
def test_rows_sum_to_one_and_promise_nothing_for_certain(
    name: CalibrationName, n_classes: int
) -> None:
    scores, labels = drawn(300, n_classes)
    found = CALIBRATIONS[name].fit(scores, labels).probabilities(scores)
    assert found.shape == (300, n_classes)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    assert ((found > 0) & (found < 1)).all()
    assert (found.argmax(axis=1) == labels).mean() > 0.65


@every
@pytest.mark.parametrize("sign", [1, -1])
def test_the_order_of_scans_is_kept_even_where_scores_mislead(
    name: CalibrationName, sign: int
) -> None:
    scores, labels = drawn(200)
    calibration = CALIBRATIONS[name].fit(sign * scores, labels)
    asked = np.linspace(-4, 4, 101, dtype=np.float32)[:, None]
    assert (np.diff(calibration.probabilities(asked)[:, 1]) > 0).all()


@every
def test_told_apart_without_a_mistake_is_not_certainty(name: CalibrationName) -> None:
    scores = np.linspace(-2, 2, 20, dtype=np.float32)[:, None]
    found = CALIBRATIONS[name].fit(scores, (scores[:, 0] > 0).astype(int)).probabilities(scores)
    assert 0.001 < found[0, 1] < 0.15
    assert 0.85 < found[-1, 1] < 0.999


@every
@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0.7] * 6, [0, 1] * 3),
        ([0.1, 0.2, 0.3], [1, 1, 1]),
        ([0.1, 0.2], [0, 0]),
        ([3.0], [1]),
        ([0.0, 0.0], [0, 1]),
        ([1.0, 1.0, 2.0, 2.0], [0, 1, 0, 1]),
    ],
    ids=["equal", "all-positive", "all-negative", "one-scan", "zeros", "ties"],
)
def test_poor_parts_give_finite_probabilities(
    name: CalibrationName, scores: list[float], labels: list[int]
) -> None:
    column = np.array(scores, np.float32)[:, None]
    found = CALIBRATIONS[name].fit(column, np.array(labels)).probabilities(column)
    assert ((found > 0) & (found < 1)).all()


@every
def test_on_new_scans_stated_and_observed_agree(name: CalibrationName) -> None:
    scores, labels = drawn(4000, share=0.2)
    new, truth = drawn(20_000, share=0.2, seed=1)
    found = CALIBRATIONS[name].fit(scores, labels).probabilities(new)
    assert ece(truth, found) < 0.02
    best = expit(2 * new[:, 0] + np.log(0.25))
    assert log_loss(truth, found) < log_loss(truth, best) + 0.01


@every
@pytest.mark.parametrize("n_classes", [2, 3])
def test_arrays_are_all_there_is_of_it(name: CalibrationName, n_classes: int) -> None:
    scores, labels = drawn(120, n_classes)
    fitted = CALIBRATIONS[name].fit(scores, labels)
    assert name_of(fitted) == name
    again = calibration_from(name, to_arrays(fitted))
    np.testing.assert_array_equal(again.probabilities(scores), fitted.probabilities(scores))


def patients(count: int) -> list[str]:
    return [f"P{row // 2}" for row in range(count)]


def test_the_default_is_chosen_where_it_fits() -> None:
    scores, labels = drawn(200)
    assert choose_calibration(scores, labels, patients(200), seed=0) == "sigmoid"


def test_a_shape_that_no_sigmoid_has_is_found_with_enough_scans() -> None:
    generator = np.random.default_rng(0)
    scores = generator.uniform(-3, 3, (2000, 1)).astype(np.float32)
    chance = np.where(scores[:, 0] > 1, 0.95, np.where(scores[:, 0] > -2, 0.5, 0.05))
    labels = (generator.random(2000) < chance).astype(np.int64)
    assert choose_calibration(scores, labels, patients(2000), seed=0) == "isotonic"
    fitted = fit_calibration("auto", scores, labels, patients(2000), seed=0)
    assert name_of(fitted) == "isotonic"


def test_the_choice_knows_patients_by_their_grouping_alone() -> None:
    scores, labels = drawn(300, share=0.3)
    names = patients(300)
    renamed = [f"x{sum(map(ord, name))}-{name[::-1]}" for name in names]
    chosen = [choose_calibration(scores, labels, who, seed=3) for who in (names, renamed)]
    assert chosen[0] == chosen[1]


@pytest.mark.parametrize("labels", [[0, 1], [1, 1, 1], [0, 0, 0, 1]])
def test_too_few_patients_to_compare_by_leave_the_sigmoid(labels: list[int]) -> None:
    scores = np.arange(len(labels), dtype=np.float32)[:, None]
    names = [str(row) for row in range(len(labels))]
    assert choose_calibration(scores, np.array(labels), names, seed=0) == "sigmoid"
