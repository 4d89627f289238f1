"""Grey levels by percentiles: counted for small integers, and the same as by sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latentdx.scans.intensity import PERCENTILES, levels, stretch, to_unit

KINDS = [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.float32, np.float64]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 3, 199, 200, 201, 5000])
def test_levels_are_the_percentiles(kind: type[Any], size: int) -> None:
    generator = np.random.default_rng(size)
    for low, high in ((-120, 120), (0, 100), (-5, 0), (7, 9)):
        low = max(low, 0) if np.dtype(kind).kind == "u" else low
        values = generator.integers(low, high + 1, size).astype(kind)
        # numpy's own arithmetic overflows in int8: its reference is taken in float64.
        expected = np.percentile(values.astype(np.float64), PERCENTILES)
        found = levels(values)
        if expected[1] > expected[0]:
            assert np.allclose(found[:2], expected, rtol=1e-12, atol=1e-12)
            unit = np.clip((values - expected[0]) / (expected[1] - expected[0]), 0, 1)
            assert np.allclose(stretch(values)[0], unit, atol=1e-6)


def test_the_whole_range_of_a_cell() -> None:
    for kind in (np.uint8, np.int8, np.uint16, np.int16):
        info = np.iinfo(kind)
        values = np.arange(info.min, info.max + 1).astype(kind)
        assert np.allclose(levels(values)[:2], np.percentile(values, PERCENTILES))


def test_padding_is_left_out() -> None:
    values = np.array([-2000] * 50 + list(range(100)), np.int16)
    assert np.allclose(levels(values, values >= 0)[:2], np.percentile(range(100), PERCENTILES))


def test_values_that_hardly_differ_are_scaled_by_their_extremes() -> None:
    values = np.zeros(1000, np.uint16)
    values[7] = 9
    assert levels(values) == (0, 9, "scaled by the extremes of the scan")
    assert levels(values[:5]) == (0, 0, "constant image, set to 0")


def test_wide_integers_and_far_borders_keep_their_precision() -> None:
    base = 2_000_000_000
    values = np.array([base, base + 1, base + 2, base + 3], np.int32)
    assert np.allclose(to_unit(values, base, base + 3), [0, 1 / 3, 2 / 3, 1])
    far = to_unit(np.array([0, 1], np.uint16), -1e40, 1e40)
    assert np.allclose(far, 0.5)
    assert np.allclose(to_unit(np.array([0, 1, 4], np.uint8), 4, 0), [1, 0.75, 0])
