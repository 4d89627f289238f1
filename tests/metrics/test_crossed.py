"""The crossed bootstrap: patients and draws are resampled, and pairs stay pairs."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.metrics.calibration import log_loss
from latentdx.metrics.crossed import crossed_bootstrap
from latentdx.metrics.discrimination import auroc

LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1])
PATIENTS = np.array(list("aabbccdd"))


def crossed(predicted, metric=log_loss, labels=LABELS, patients=PATIENTS, draws=None, seed=0):
    draws = np.arange(len(predicted)) if draws is None else draws
    return crossed_bootstrap(metric, labels, predicted, patients, draws=draws, seed=seed)


def random_fits(n_fits, seed=0):
    return np.random.default_rng(seed).uniform(0.05, 0.95, (n_fits, len(LABELS)))


def test_the_value_is_the_mean_over_fits():
    predicted = random_fits(3)
    expected = np.mean([log_loss(LABELS, table) for table in predicted])
    found = crossed(predicted)
    assert found.value == pytest.approx(expected)
    assert (found.n_scans, found.n_patients) == (8, 4)


def test_draws_alone_give_a_width_where_all_patients_are_alike():
    """Draw 1 says .5 of all, draw 2 .9: values lie between -log .5 and -log .9."""
    predicted = np.stack([np.where(LABELS == 1, p, 1 - p) for p in (0.5, 0.9)])
    found = crossed(predicted)
    levels = -np.log([0.9, np.sqrt(0.45), 0.5])
    assert sorted(set(found.resampled.round(9))) == pytest.approx(levels)
    shares = [np.mean(np.isclose(found.resampled, level)) for level in levels]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.05)


def test_patients_alone_give_a_width_where_all_draws_are_alike():
    one = np.array([0.1, 0.9, 0.1, 0.9, 0.5, 0.5, 0.5, 0.5])
    found = crossed(np.stack([one, one, one]))
    bad = (found.resampled - -np.log(0.9)) / (-np.log(0.5) - -np.log(0.9))
    assert (4 * bad).round(6).tolist() == (4 * bad).round().tolist()  # whole patients
    assert bad.mean() == pytest.approx(0.5, abs=0.03)


def test_fits_of_one_draw_are_resampled_together():
    predicted = np.stack([np.where(LABELS == 1, p, 1 - p) for p in (0.5, 0.9)])
    found = crossed(predicted, draws=np.array([7, 7]))
    assert found.resampled == pytest.approx(found.value)


def test_the_same_seed_pairs_what_is_compared():
    """A model that is better by the same factor everywhere: the difference has no width."""
    likely = np.array([0.2, 0.4, 0.3, 0.1, 0.45, 0.25, 0.35, 0.15])  # of the true class
    first, second = (np.stack([np.where(LABELS == 1, p, 1 - p)] * 4) for p in (likely, likely * 2))
    difference = crossed(first).minus(crossed(second))
    assert (difference.value, difference.low, difference.high) == pytest.approx((np.log(2),) * 3)
    assert crossed(first).estimate().high - crossed(first).estimate().low > 0.1


def test_more_seeds_of_the_same_draws_stay_paired():
    one = random_fits(4)
    three = np.concatenate([one, one, one])
    found = crossed(three, draws=np.tile(np.arange(4), 3)).minus(crossed(one))
    assert (found.low, found.high) == pytest.approx((0, 0), abs=1e-12)


def test_one_patient_has_no_interval_and_a_missing_class_no_auroc():
    alone = crossed(random_fits(2), patients=np.array(["a"] * 8)).estimate()
    assert (alone.low, alone.high) == (None, None)
    assert alone.value is not None
    absent = crossed(random_fits(2), metric=auroc, labels=np.zeros(8, int)).estimate()
    assert (absent.value, absent.low, absent.high) == (None, None, None)
