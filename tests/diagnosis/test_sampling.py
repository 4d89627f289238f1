"""Sampling: classes come as often as they should, and every scan comes before any comes twice."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from latentdx.diagnosis.sampling import Sampling, class_shares, shown

LABELS = np.array([0] * 64 + [1] * 16 + [2] * 4)
SHARES = {
    "natural": [64 / 84, 16 / 84, 4 / 84],
    "square-root": [8 / 14, 4 / 14, 2 / 14],
    "balanced": [1 / 3, 1 / 3, 1 / 3],
}


@pytest.mark.parametrize("sampling", get_args(Sampling))
def test_classes_are_shown_by_their_shares(sampling: Sampling) -> None:
    shares = class_shares(LABELS, 3, sampling)
    np.testing.assert_allclose(shares, SHARES[sampling])
    rows = shown(LABELS, 3, 8400, sampling, np.random.default_rng(0))
    assert len(rows) == 8400
    np.testing.assert_allclose(np.bincount(LABELS[rows]) / 8400, shares, atol=2e-4)
    for label in range(3):
        times = np.bincount(rows, minlength=84)[label == LABELS]
        assert times.max() - times.min() <= 1


def test_a_class_without_scans_is_not_shown() -> None:
    rows = shown(np.array([0, 0, 2]), 3, 12, "balanced", np.random.default_rng(0))
    assert sorted(set(rows.tolist())) == [0, 1, 2]


def test_the_order_is_the_generator_s() -> None:
    first, again, other = (
        shown(LABELS, 3, 84, "natural", np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(np.sort(first), np.arange(84))
