"""Logistic recalibration, against scikit-learn's logistic regression and scipy's root finder."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from latentdx.core.errors import StopError
from latentdx.metrics.recalibration import (
    calibration_in_the_large,
    calibration_intercept,
    calibration_slope,
)


@pytest.fixture
def told(generator):
    """Probabilities that are too extreme by a factor of 2 and too high by .5, in log odds."""
    odds = generator.normal(size=300) * 1.5
    labels = (generator.random(300) < expit(odds)).astype(int)
    return labels, expit(2 * odds + 0.5)


def fitted(labels, probabilities):
    machine = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    machine.fit(logit(probabilities)[:, None], labels)
    return machine.coef_[0, 0], machine.intercept_[0]


def shifted(labels, probabilities):
    odds = logit(probabilities)
    return brentq(lambda a: (labels - expit(a + odds)).sum(), -20, 20, xtol=1e-12)


def test_slope_and_intercept_are_those_of_a_logistic_regression(told):
    slope, intercept = fitted(*told)
    assert calibration_slope(*told) == pytest.approx(slope, abs=1e-5)
    assert calibration_intercept(*told) == pytest.approx(intercept, abs=1e-5)
    assert calibration_slope(*told) == pytest.approx(0.5, abs=0.15)


def test_in_the_large_solves_its_equation(told):
    assert calibration_in_the_large(*told) == pytest.approx(shifted(*told), abs=1e-8)


def test_weights_are_scans_repeated(told, repeated_rows):
    labels, probabilities = told
    weights, indices = repeated_rows(300)
    slopes = calibration_slope(labels, probabilities, weights=weights)
    intercepts = calibration_intercept(labels, probabilities, weights=weights)
    offsets = calibration_in_the_large(labels, probabilities, weights=weights)
    for number, rows in enumerate(indices):
        of_rows = labels[rows], probabilities[rows]
        np.testing.assert_allclose(
            [slopes[number], intercepts[number]], fitted(*of_rows), atol=1e-5
        )
        assert offsets[number] == pytest.approx(shifted(*of_rows), abs=1e-8)


def test_what_is_told_rightly_has_slope_one_and_intercept_nought(generator):
    odds = generator.normal(size=200_000)
    labels = (generator.random(200_000) < expit(odds)).astype(int)
    assert calibration_slope(labels, expit(odds)) == pytest.approx(1, abs=0.03)
    assert calibration_intercept(labels, expit(odds)) == pytest.approx(0, abs=0.03)
    assert calibration_in_the_large(labels, expit(odds)) == pytest.approx(0, abs=0.03)


def test_the_intercept_is_that_of_class_one_whichever_way_it_is_given(told):
    labels, probabilities = told
    table = np.stack([1 - probabilities, probabilities], axis=1)
    assert calibration_intercept(labels, table) == calibration_intercept(labels, probabilities)


def test_undefined_where_classes_lie_apart_or_are_missing_or_all_is_one():
    apart = [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]
    assert np.isnan(calibration_slope(*apart))
    assert np.isfinite(calibration_in_the_large(*apart))
    assert np.isnan(calibration_in_the_large([1, 1], [0.4, 0.6]))
    assert np.isnan(calibration_slope([1, 1], [0.4, 0.6]))
    assert np.isnan(calibration_slope([0, 1, 1], [0.5, 0.5, 0.5]))
    assert np.isnan(calibration_slope([], []))


def test_certain_answers_are_no_infinity():
    labels = [0, 1, 0, 1, 1, 0]
    assert np.isfinite(calibration_slope(labels, [0, 1, 1, 1, 0.9, 0.2]))
    assert np.isfinite(calibration_in_the_large(labels, [0, 1, 1, 1, 0.9, 0.2]))


def test_far_away_fits_are_reached(generator):
    """Where log odds are huge a plain Newton step overshoots."""
    odds = 12 * generator.normal(size=400)
    labels = (generator.random(400) < expit(odds / 12)).astype(int)
    probabilities = expit(np.clip(odds, -13, 13))
    slope, _ = fitted(labels, probabilities)
    assert calibration_slope(labels, probabilities) == pytest.approx(slope, abs=1e-4)


def test_three_classes_have_no_one_slope():
    with pytest.raises(StopError, match="E_PROBABILITIES"):
        calibration_slope([0, 1], [0.4, 1.6])
