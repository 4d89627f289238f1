"""Fitting: aspect kept, nothing invented, spacing follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentdx.scans.geometry import fit_scan, fit_square
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 64), st.sampled_from([1, 3]))
def test_laws(height: int, width: int, size: int, channels: int) -> None:
    pixels = np.ones((channels, height, width), np.float32)
    fitted = fit_square(pixels, size)
    assert fitted.shape == (channels, size, size)
    assert fitted.dtype == np.float32
    rows, columns = fitted[0].any(1), fitted[0].any(0)
    assert max(rows.sum(), columns.sum()) == size
    scale = size / max(height, width)
    assert abs(rows.sum() - max(1, height * scale)) <= 0.5
    assert abs(columns.sum() - max(1, width * scale)) <= 0.5
    # Central: the margins differ by one pixel at most, and the picture is not faded at its edges.
    for used in (rows, columns):
        first, last = np.flatnonzero(used)[[0, -1]]
        assert abs(first - (size - 1 - last)) <= 1
    assert set(np.unique(np.round(fitted, 5))) <= {0.0, 1.0}


def test_native_size_is_untouched() -> None:
    pixels = noise(1, 28, 28)
    assert fit_square(pixels, 28) is pixels


def test_smaller_averages_instead_of_picking() -> None:
    board = np.indices((64, 64)).sum(0)[None].astype(np.float32) % 2
    assert np.abs(fit_square(board, 16) - 0.5).max() < 0.1
    assert fit_square(noise(1, 512, 256), 32).mean() == pytest.approx(0.25, abs=0.01)


def test_values_stay_within_bounds() -> None:
    edge = np.zeros((1, 64, 64), np.float32)
    edge[:, :, 32:] = 1
    fitted = fit_square(edge, 20)
    assert fitted.min() >= 0
    assert fitted.max() <= 1


def test_spacing_and_record_follow() -> None:
    scan = fit_scan(Scan(noise(1, 100, 50), (100, 50), spacing_mm=(0.2, 0.2)), 50)
    assert scan.spacing_mm == pytest.approx((0.4, 0.4))
    assert scan.native_shape == (100, 50)
    assert scan.conversions == ("resized 100x50 to 50x25", "padded to 50x50")
    assert fit_scan(Scan(noise(1, 5, 5), (5, 5)), 10).spacing_mm is None


def test_channels_on_request() -> None:
    colour = Scan(noise(3, 8, 8), (8, 8))
    grey = Request(channels=1).fit(colour)
    red, green, blue = colour.pixels
    assert np.allclose(grey.pixels[0], 0.299 * red + 0.587 * green + 0.114 * blue, atol=1e-6)
    again = Request(channels=3).fit(grey)
    assert np.array_equal(again.pixels, np.repeat(grey.pixels, 3, 0))
    assert len(again.conversions) == 2
    assert Request().fit(colour) is colour
