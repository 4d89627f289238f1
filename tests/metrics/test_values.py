"""Metrics of numbers against scikit-learn's and scipy's, also under weights."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from latentdx.core.errors import StopError
from latentdx.metrics.values import METRICS, error_difference, summarise_values

ORACLES = {
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
    "r2": r2_score,
    "pearson": lambda a, b: pearsonr(a, b).statistic,
    "spearman": lambda a, b: spearmanr(a, b).statistic,
}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("ties", [False, True])
def test_agrees_with_others_also_under_weights(name, ties, generator, repeated_rows):
    values = generator.normal(50, 10, 200)
    predicted = values + generator.normal(0, 8, 200)
    if ties:
        values, predicted = values.round(-1), predicted.round(-1)
    weights, repeats = repeated_rows(200)
    expected = [ORACLES[name](values[rows], predicted[rows]) for rows in repeats]
    found = METRICS[name](values, predicted, np.asarray(weights, np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_nothing_is_told_of_constant_values():
    every = np.ones((1, 3))
    for name in ("r2", "pearson", "spearman"):
        assert np.isnan(METRICS[name](np.full(3, 41.3), np.array([1.0, 2, 3]), every))
    for name in ("pearson", "spearman"):
        assert np.isnan(METRICS[name](np.array([1.0, 2, 3]), np.full(3, 0.1), every))


def test_summary_has_an_interval_for_each():
    generator = np.random.default_rng(0)
    values = generator.normal(size=60)
    found = summarise_values(
        values, values + 0.5, np.arange(60) // 2, generator=generator, n_resamples=200
    )
    assert tuple(found) == tuple(METRICS)
    assert found["mae"].value == pytest.approx(0.5)
    assert (found["r2"].n_scans, found["r2"].n_patients) == (60, 30)
    assert found["r2"].low < found["r2"].value < found["r2"].high


def test_a_paired_difference_is_narrower_than_the_difference_of_two():
    generator = np.random.default_rng(0)
    values, noise = generator.normal(size=(2, 100))
    first, second = values + noise, values + 1.1 * noise
    found = error_difference(values, first, second, np.arange(100), generator=generator)
    assert found.value == pytest.approx(-0.1 * np.abs(noise).mean())
    assert found.low < found.value < found.high < 0


@pytest.mark.parametrize(
    ("predicted", "code"), [([1.0, 2.0], "E_LENGTHS"), ([1.0, np.nan, 2.0], "E_SCORES")]
)
def test_what_is_no_prediction(predicted, code):
    with pytest.raises(StopError, match=code):
        summarise_values([1, 2, 3], predicted, "abc", generator=np.random.default_rng(0))
