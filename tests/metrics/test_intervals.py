"""Intervals: which quantiles are taken, and how often the truth lies between them."""

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import norm, t

from latentdx.metrics.intervals import centred_interval, corrected_interval, percentile_interval


def resampled_means(values, generator, n_resamples=20_000):
    drawn = generator.integers(len(values), size=(n_resamples, len(values)))
    return values[drawn].mean(axis=1)


def without_each(values):
    return (values.sum() - values) / (len(values) - 1)


def test_for_many_it_is_scipys_bca(generator):
    values = generator.exponential(size=400)
    expected = scipy_bootstrap((values,), np.mean, n_resamples=20_000, rng=generator)
    found = corrected_interval(
        values.mean(), resampled_means(values, generator), without_each(values), 400
    )
    ends = expected.confidence_interval
    assert found == pytest.approx((ends.low, ends.high), abs=0.05 * (ends.high - ends.low))


def test_of_a_symmetric_mean_it_is_students_interval(generator):
    values = norm.ppf((np.arange(12) + 0.5) / 12)
    found = corrected_interval(
        values.mean(), resampled_means(values, generator, 100_000), without_each(values), 12
    )
    half = t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    assert found == pytest.approx((-half, half), rel=0.06)
    plain = percentile_interval(resampled_means(values, generator, 100_000))
    assert plain[1] - plain[0] < 0.9 * (found[1] - found[0])


def test_the_interval_turns_with_the_values(generator):
    values = generator.exponential(size=30)
    resampled, without = resampled_means(values, generator), without_each(values)
    low, high = corrected_interval(values.mean(), resampled, without, 30)
    turned = corrected_interval(-values.mean(), -resampled, -without, 30)
    assert turned == pytest.approx((-high, -low))


def test_a_shift_or_a_scale_of_all_changes_nothing_but_that(generator):
    values = generator.exponential(size=30)
    resampled, without = resampled_means(values, generator), without_each(values)
    low, high = corrected_interval(values.mean(), resampled, without, 30)
    moved = corrected_interval(3 * values.mean() + 7, 3 * resampled + 7, 3 * without + 7, 30)
    assert moved == pytest.approx((3 * low + 7, 3 * high + 7))


def test_resamples_that_all_lie_on_one_side_do_not_break_it():
    resampled = np.linspace(0.2, 0.4, 1001)  # a value that resampling raises, as the ECE
    low, high = corrected_interval(0.1, resampled, np.empty(0), 200)
    assert 0.2 <= low < high < 0.3


def test_errors_that_resampling_raises_are_moved_back_and_hold_their_value():
    value = 0.1
    chance = np.random.default_rng(0).normal(0, 0.05, 5000) ** 2  # adds .0025 to the square
    low, high = centred_interval(value, np.sqrt(value**2 + chance))
    assert low < value < high
    plain = percentile_interval(np.sqrt(value**2 + chance))
    assert plain[0] >= value
    assert centred_interval(0.0, np.sqrt(chance))[0] == 0
    assert centred_interval(np.nan, chance) == (None, None)
    assert centred_interval(0.1, np.full(9, np.nan)) == (None, None)


def test_undefined_values_are_left_out_until_they_are_most():
    known = np.linspace(0, 1, 101)
    some = np.append(known, np.full(100, np.nan))
    assert corrected_interval(0.5, some, np.array([np.nan, 0.5]), 99) == pytest.approx(
        corrected_interval(0.5, known, np.array([0.5]), 99)
    )
    most = np.append(known, np.full(102, np.nan))
    assert corrected_interval(0.5, most, np.empty(0), 99) == (None, None)
    assert corrected_interval(np.nan, known, np.empty(0), 99) == (None, None)
    assert corrected_interval(1.0, np.ones(50), np.ones(9), 9) == (1, 1)
