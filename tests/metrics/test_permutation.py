"""Permutation tests hold their level, and Holm's correction does for many of them."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.metrics.permutation import ENOUGH, holm, permuted_p


def test_holm_by_hand() -> None:
    # .01 x 4, .02 x 3, then never less than one before, never more than 1
    assert holm([0.02, 0.9, 0.01, 0.03]) == pytest.approx([0.06, 0.9, 0.04, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).shape == (0,)


def test_holm_keeps_the_chance_of_any_false_alarm() -> None:
    chance = np.random.default_rng(0).random((4000, 12))
    alarms = np.mean([(holm(row) < 0.05).any() for row in chance])
    assert 0.03 < alarms < 0.065


def test_a_p_value_is_as_small_as_it_says() -> None:
    draw = np.random.default_rng(1)
    found = [permuted_p(draw.normal(), lambda n: draw.normal(size=n), 199) for _ in range(1500)]
    assert 0.03 < np.mean(np.array(found) <= 0.05) < 0.07
    assert 0.42 < np.mean(np.array(found) <= 0.5) < 0.58


def test_drawing_ends_early_where_nothing_is_to_be_found() -> None:
    asked: list[int] = []

    def draw(count: int) -> np.ndarray:
        asked.append(count)
        return np.ones(count)

    assert permuted_p(0.0, draw, 999) == 1.0
    assert sum(asked) < 5 * ENOUGH + 1
    assert permuted_p(2.0, draw, 999) == 1 / 1000


def test_values_that_only_rounding_parts_are_equal() -> None:
    assert permuted_p(0.1 + 0.2, lambda n: np.full(n, 0.3), 99) == 1.0
