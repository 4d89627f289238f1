"""Two samples: false alarms as often as promised, differences found, an oracle beside."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import chi2_contingency
from sklearn.metrics.pairwise import rbf_kernel

from latentdx.metrics import two_samples
from latentdx.metrics.two_samples import (
    discrepancy,
    discrepancy_p,
    shares_p,
    told_apart,
    total_variation,
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_samples, "PERMUTATIONS", 199)


def test_alike_samples_are_told_apart_as_rarely_as_promised(quick: None) -> None:
    generator = np.random.default_rng(0)
    alarms = np.zeros(2)
    for _ in range(200):
        first, second = generator.normal(size=(30, 4)) ** 3, generator.normal(size=(50, 4)) ** 3
        sexes = generator.integers(0, 3, 30), generator.integers(0, 3, 50)
        found = discrepancy_p(first, second, generator), shares_p(*sexes, generator)
        alarms += np.array(found) <= 0.05
    # 10 expected of 200; 20 would come once in a thousand.
    assert (alarms <= 20).all()
    assert (alarms >= 1).all(), "a test that never alarms is no test"


def test_a_shift_of_place_and_one_of_shape_are_found(quick: None) -> None:
    generator = np.random.default_rng(1)
    first = generator.normal(size=(100, 3))
    for second in (first + 0.8, 2.5 * generator.normal(size=(100, 3))):
        assert discrepancy_p(first, second, generator) <= 0.01


def test_shares_agree_with_the_chi_squared_test() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.choice(3, 300, p=(0.5, 0.3, 0.2)), generator.choice(3, 200)
    table = [np.bincount(sample, minlength=3) for sample in (first, second)]
    expected = chi2_contingency(table).pvalue
    assert shares_p(first, second, generator) == pytest.approx(expected, abs=0.01)


def test_what_is_alike_cannot_be_told_apart_and_far_can() -> None:
    generator = np.random.default_rng(3)
    first = generator.normal(size=(150, 5))
    assert told_apart(first, generator.normal(size=(150, 5)), generator) < 0.62
    assert told_apart(first, 1 + generator.normal(size=(150, 5)), generator) > 0.9
    constant = np.ones((20, 2))
    assert told_apart(constant, constant, generator) == pytest.approx(0.5)


def test_total_variation_is_the_share_that_would_have_to_change() -> None:
    a = np.array(["f"] * 8 + ["m"] * 2)
    assert total_variation(a, a) == 0
    assert total_variation(a, np.array(["f"] * 5 + ["m"] * 5)) == pytest.approx(0.3)


def test_a_discrepancy_is_0_on_average_where_nothing_differs_and_grows_with_the_gap() -> None:
    generator = np.random.default_rng(4)
    own = generator.normal(size=(80, 4))
    alike = [discrepancy(own, generator.normal(size=(60, 4)), generator) for _ in range(30)]
    values = [each.value for each in alike if each is not None]
    assert abs(np.mean(values)) < 0.01
    assert min(values) < 0 < max(values)
    assert np.mean([each.p < 0.1 for each in alike if each is not None]) < 0.35
    moved = [discrepancy(own, own + gap, generator) for gap in (0.5, 1.0, 2.0, 50.0)]
    found = [each.value for each in moved if each is not None]
    assert found == sorted(found)
    assert 0.5 < found[-1] <= 2, "two at most: nothing in common"
    # the same kernel whatever it is compared with
    kernel = rbf_kernel((own - own.mean(axis=0)) / own.std(axis=0), gamma=1 / median_square(own))
    expected = (kernel.sum() - 80) / (80 * 79)
    assert found[-1] == pytest.approx(2 * expected, abs=1e-3)
    assert discrepancy(own, own[:1], generator) is None


def median_square(points: np.ndarray) -> float:
    scaled = (points - points.mean(axis=0)) / points.std(axis=0)
    return float(np.median(pdist(scaled, "sqeuclidean")))


def test_the_examples_of_two_samples_run() -> None:
    assert doctest.testmod(two_samples).failed == 0
