"""Probabilities from scores: near the best possible, and the order of scans is kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.metrics.calibration import log_loss


def drawn(
    count: int, slope: float, offset: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (N, 1), labels drawn from a sigmoid of them, and its probabilities."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(count, 1)).astype(np.float32)
    truth = expit(slope * scores[:, 0].astype(np.float64) + offset)
    return scores, (generator.random(count) < truth).astype(np.int64), truth


@pytest.mark.parametrize(("slope", "offset"), [(2.0, -1.0), (0.5, 0.3), (6.0, 2.0)])
def test_a_known_sigmoid_is_found_again(slope: float, offset: float) -> None:
    scores, labels, _ = drawn(20_000, slope, offset)
    found = SigmoidCalibration.fit(scores, labels)
    assert found.slopes.item() == pytest.approx(slope, rel=0.08)
    assert found.offsets.item() == pytest.approx(offset, abs=0.12)
    new, new_labels, new_truth = drawn(20_000, slope, offset, seed=1)
    assert log_loss(new_labels, found.probabilities(new)) < log_loss(new_labels, new_truth) + 0.002


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_unit_of_the_scores_does_not_matter(scale: float) -> None:
    scores, labels, _ = drawn(200, 2.0, -1.0)
    expected = SigmoidCalibration.fit(scores, labels).probabilities(scores)
    moved = (scores * scale + 5 * scale).astype(np.float32)
    found = SigmoidCalibration.fit(moved, labels).probabilities(moved)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_targets_are_platts() -> None:
    """The fit is a logistic regression in which each scan also has a little of the other class."""
    scores, labels, _ = drawn(60, 2.0, 0.0)
    n_positive = int(labels.sum())
    high, low = (n_positive + 1) / (n_positive + 2), 1 / (60 - n_positive + 2)
    target = np.where(labels == 1, high, low)
    twice = np.concatenate([scores, scores])
    weights = np.concatenate([target, 1 - target])
    model = LogisticRegression(C=1e8, tol=1e-10, max_iter=1000)
    model.fit(twice, np.repeat([1, 0], 60), sample_weight=weights)
    found = SigmoidCalibration.fit(scores, labels)
    assert found.slopes.item() == pytest.approx(model.coef_.item(), rel=1e-3)
    assert found.offsets.item() == pytest.approx(model.intercept_.item(), abs=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_order_of_scans_is_kept_even_where_scores_mislead(sign: int) -> None:
    scores, labels, _ = drawn(100, 3.0, 0.0)
    calibration = SigmoidCalibration.fit(sign * scores, labels)
    found = calibration.probabilities(sign * scores)[:, 1]
    order = np.argsort(sign * scores[:, 0], kind="stable")
    assert (np.diff(found[order]) > 0).all()


def test_few_scans_that_are_told_apart_do_not_promise_certainty() -> None:
    scores = np.array([[-2.0], [-1.0], [1.0], [2.0]], np.float32)
    found = SigmoidCalibration.fit(scores, np.array([0, 0, 1, 1])).probabilities(scores)[:, 1]
    assert found[0] > 0.05
    assert found[-1] < 0.95
    assert found[2] > 0.5 > found[1]


@pytest.mark.parametrize(
    ("scores", "labels"),
    [([0.7] * 6, [0, 1] * 3), ([0.1, 0.2, 0.3], [1, 1, 1]), ([0.1, 0.2], [0, 0]), ([3.0], [1])],
    ids=["equal-scores", "all-positive", "all-negative", "one-scan"],
)
def test_poor_parts_give_finite_probabilities(scores: list[float], labels: list[int]) -> None:
    column = np.array(scores, np.float32)[:, None]
    found = SigmoidCalibration.fit(column, np.array(labels)).probabilities(column)
    assert np.isfinite(found).all()
    assert ((found > 0) & (found < 1)).all()


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_rows_sum_to_one(n_classes: int) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(150) % n_classes
    scores = generator.normal(size=(150, 1 if n_classes == 2 else n_classes))
    calibration = SigmoidCalibration.fit(scores.astype(np.float32), labels)
    extreme = np.concatenate([scores, scores * 1e4]).astype(np.float32)
    found = calibration.probabilities(extreme)
    assert found.shape == (300, n_classes)
    assert ((found >= 0) & (found <= 1)).all()
    ordinary = found[:150]
    np.testing.assert_allclose(ordinary.sum(axis=1), 1, atol=1e-12)


def test_of_several_classes_each_has_its_own_sigmoid() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 3000)
    scores = generator.normal(size=(3000, 3))
    scores[np.arange(3000), labels] += 2
    scores = (scores * [1, 10, 0.1] + [0, 5, 1]).astype(np.float32)
    found = SigmoidCalibration.fit(scores, labels).probabilities(scores)
    assert (found.argmax(axis=1) == labels).mean() > 0.8
    np.testing.assert_allclose(found.mean(axis=0), np.bincount(labels) / 3000, atol=0.03)
