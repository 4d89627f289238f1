from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from latentdx.core.errors import StopError
from latentdx.metrics.calibration import brier, ece, log_loss, reliability_curve

PROPERTY = settings(deadline=None, derandomize=True)


def direct_ece(stated, happened):
    """The definition, bin by bin."""
    edges = np.linspace(0, 1, 11)
    total = 0.0
    for low, high in pairwise(edges):
        inside = (stated >= low) & ((stated < high) | (high == 1))
        if inside.any():
            total += inside.mean() * abs(stated[inside].mean() - happened[inside].mean())
    return total


@pytest.fixture
def binary(generator):
    return generator.integers(0, 2, 400), generator.random(400)


@pytest.fixture
def many(generator):
    return generator.integers(0, 4, 400), generator.dirichlet(np.ones(4), 400)


def test_binary_agrees_with_scikit_learn(binary):
    assert brier(*binary) == pytest.approx(brier_score_loss(*binary), abs=1e-12)
    assert log_loss(*binary) == pytest.approx(sklearn_log_loss(*binary), abs=1e-12)


def test_multiclass_agrees_with_scikit_learn(many):
    expected = brier_score_loss(*many, scale_by_half=True)
    assert brier(*many) == pytest.approx(expected, abs=1e-12)
    assert log_loss(*many) == pytest.approx(sklearn_log_loss(*many), abs=1e-12)


@pytest.mark.parametrize("metric", [brier, ece, log_loss])
def test_two_columns_mean_the_same_as_class_one_alone(metric, binary):
    labels, p = binary
    assert metric(labels, np.stack([1 - p, p], axis=1)) == pytest.approx(metric(labels, p))


def test_ece_is_its_definition(binary, many):
    labels, p = binary
    assert ece(labels, p) == pytest.approx(direct_ece(p, labels), abs=1e-12)
    labels, table = many
    right = (table.argmax(axis=1) == labels).astype(float)
    assert ece(labels, table) == pytest.approx(direct_ece(table.max(axis=1), right), abs=1e-12)


def test_ece_of_probabilities_that_hold_is_small_and_of_shifted_ones_is_the_shift(generator):
    p = generator.uniform(0.1, 0.6, 200_000)
    labels = (generator.random(200_000) < p).astype(int)
    assert ece(labels, p) < 0.01
    assert ece(labels, p + 0.3) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("metric", [brier, ece, log_loss])
@pytest.mark.parametrize("part", ["binary", "many"])
def test_weights_equal_repeated_scans(metric, part, repeated_rows, request):
    labels, probabilities = request.getfixturevalue(part)
    weights, repeats = repeated_rows(len(labels))
    expected = [metric(labels[rows], probabilities[rows]) for rows in repeats]
    np.testing.assert_allclose(metric(labels, probabilities, weights=weights), expected, rtol=1e-10)


def test_the_best_and_the_worst():
    sure = np.eye(3)
    assert (brier([0, 1, 2], sure), ece([0, 1, 2], sure), log_loss([0, 1, 2], sure)) == (0, 0, 0)
    assert (brier([1, 2, 0], sure), ece([1, 2, 0], sure)) == (1, 1)
    assert log_loss([1], [0.0]) == pytest.approx(-np.log(np.finfo(float).eps))


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_values_lie_in_range(pairs):
    labels, p = np.array([y for y, _ in pairs]), np.array([p for _, p in pairs])
    assert 0 <= brier(labels, p) <= 1
    assert 0 <= ece(labels, p) <= 1 + 1e-12
    assert 0 <= log_loss(labels, p) < 37


def test_the_reliability_curve_agrees_with_scikit_learn(binary):
    labels, p = binary
    mean_p, observed, counts = reliability_curve(labels, p, n_bins=7)
    expected_observed, expected_p = calibration_curve(labels, p, n_bins=7)
    np.testing.assert_allclose(observed, expected_observed)
    np.testing.assert_allclose(mean_p, expected_p)
    assert counts.sum() == 400


def test_the_reliability_curve_adds_up_to_the_ece(many):
    mean_p, observed, counts = reliability_curve(*many)
    gap = np.nansum(counts * np.abs(mean_p - observed)) / counts.sum()
    assert gap == pytest.approx(ece(*many), abs=1e-12)


def test_an_empty_bin_is_undefined_and_one_belongs_to_the_last():
    mean_p, observed, counts = reliability_curve([1, 0], [1.0, 0.05], n_bins=4)
    assert counts.tolist() == [1, 0, 0, 1]
    assert np.isnan(mean_p[[1, 2]]).all()
    assert np.isnan(observed[[1, 2]]).all()


@pytest.mark.parametrize(
    "odd", [[0.5, 1.2], [-0.1, 0.5], [np.nan, 0.5], [[0.7, 0.7], [0.5, 0.5]], [[2, -1], [0, 1]]]
)
@pytest.mark.parametrize("metric", [brier, ece, log_loss])
def test_scores_in_place_of_probabilities_are_refused(metric, odd):
    with pytest.raises(StopError, match="E_PROBABILITIES"):
        metric([0, 1], odd)
