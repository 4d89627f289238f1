"""Operating points, against scikit-learn's ROC curve."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from latentdx.metrics.metric import as_rows
from latentdx.metrics.operating import (
    GOALS,
    OPERATING_NAMES,
    operating_points,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)


@pytest.fixture
def scored(generator):
    labels = (generator.random(90) < 0.4).astype(int)
    return labels, np.round(generator.normal(size=90) + labels, 1)  # with ties


def from_curve(labels, scores, goal):
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    sensitivity = tpr[fpr <= 1 - goal + 1e-9].max()
    specificity = 1 - fpr[tpr >= goal - 1e-9].min()
    return sensitivity, specificity


@pytest.mark.parametrize("goal", [0.5, *GOALS, 1.0])
def test_points_are_those_of_the_roc_curve(scored, goal):
    expected = from_curve(*scored, goal)
    assert sensitivity_at_specificity(goal)(*scored) == pytest.approx(expected[0])
    assert specificity_at_sensitivity(goal)(*scored) == pytest.approx(expected[1])


def test_weights_are_scans_repeated(scored, repeated_rows):
    labels, scores = scored
    weights, indices = repeated_rows(90)
    for goal in GOALS:
        for made, which in ((sensitivity_at_specificity, 0), (specificity_at_sensitivity, 1)):
            found = made(goal)(labels, scores, weights=weights)
            expected = [from_curve(labels[rows], scores[rows], goal)[which] for rows in indices]
            np.testing.assert_allclose(found, expected)


def test_all_at_once_are_each_alone(scored, repeated_rows):
    labels, scores = scored
    weights, _ = repeated_rows(90)
    found = operating_points(labels, scores, as_rows(weights, 90))
    made = [sensitivity_at_specificity(goal) for goal in GOALS]
    made += [specificity_at_sensitivity(goal) for goal in GOALS]
    for name, column, one in zip(OPERATING_NAMES, found.T, made, strict=True):
        np.testing.assert_array_equal(column, one(labels, scores, weights=weights), err_msg=name)


def test_more_classes_are_the_mean_of_one_against_the_rest(generator):
    labels, table = generator.integers(0, 3, 60), generator.random((60, 3))
    found = sensitivity_at_specificity(0.8)(labels, table)
    expected = [from_curve(labels == k, table[:, k], 0.8)[0] for k in range(3)]
    assert found == pytest.approx(np.mean(expected))


def test_a_goal_of_nine_of_ten_is_reached_by_nine():
    labels, scores = np.repeat([0, 1], 10), np.arange(20.0)
    scores[9] = 15.5  # one of ten negatives scores above six of the positives
    assert sensitivity_at_specificity(0.9)(labels, scores) == 1
    assert sensitivity_at_specificity(0.95)(labels, scores) == pytest.approx(0.4)


def test_without_a_class_it_is_undefined():
    for made in (sensitivity_at_specificity, specificity_at_sensitivity):
        assert np.isnan(made(0.9)([1, 1], [0.1, 0.2]))
        assert np.isnan(made(0.9)([0, 0], [0.1, 0.2]))
        assert np.isnan(made(0.9)([], []))


def test_a_score_that_ranks_perfectly_loses_nothing():
    assert sensitivity_at_specificity(0.95)([0, 0, 1, 1], [1, 2, 3, 4]) == 1
    assert specificity_at_sensitivity(0.95)([0, 0, 1, 1], [1, 2, 3, 4]) == 1
    assert sensitivity_at_specificity(0.95)([0, 0, 1, 1], [1, 1, 1, 1]) == 0
