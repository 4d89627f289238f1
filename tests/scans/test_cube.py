"""Cubes: physical shape kept, nothing lost but what is said, in little time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from latentdx.scans.cube import fit_cube
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan


def scan_of(shape: tuple[int, ...], spacing: Any = None, channels: int = 1) -> Scan:
    pixels = np.random.default_rng(0).random((channels, *shape), np.float32)
    return Scan(pixels, shape, spacing, "RAS", conversions=("before",))


def filled(pixels: np.ndarray) -> tuple[int, ...]:
    """Sides of the box that holds what is not padding."""
    return tuple(int(np.ptp(found)) + 1 for found in np.nonzero(pixels[0]))


@pytest.mark.parametrize(
    ("shape", "spacing", "inner"),
    [
        ((64, 64, 16), (1.0, 1.0, 4.0), (32, 32, 32)),
        ((64, 64, 16), None, (32, 32, 8)),
        ((64, 64, 16), (1.0, 1.0, 1.0), (32, 32, 8)),
        ((10, 20, 5), (1.0, 1.0, 2.0), (16, 32, 16)),
        ((100, 30, 7), (0.5, 2.0, 9.0), (25, 30, 32)),
        ((400, 1, 1), (1.0, 1.0, 1.0), (32, 1, 1)),
        ((32, 32, 32), (1.0, 1.0, 1.0), (32, 32, 32)),
    ],
)
def test_physical_shape_is_kept(
    shape: tuple[int, ...], spacing: Any, inner: tuple[int, ...]
) -> None:
    scan = scan_of(shape, spacing, channels=2)
    cube = fit_cube(scan, 32, keep_spacing=False)
    assert cube.pixels.shape == (2, 32, 32, 32)
    assert filled(cube.pixels) == inner
    margins = [(32 - side) // 2 for side in inner]
    assert [int(found.min()) for found in np.nonzero(cube.pixels[0])] == margins
    if spacing is None:
        assert cube.spacing_mm is None
    else:
        extent = np.multiply(shape, spacing)
        np.testing.assert_allclose(np.multiply(inner, cube.spacing_mm), extent)
    assert cube.native_shape == shape
    assert cube.pixels.dtype == np.float32


def test_what_fits_is_unchanged() -> None:
    scan = scan_of((32, 32, 32), (1.0, 1.0, 1.0))
    assert fit_cube(scan, 32, keep_spacing=False) is scan
    assert fit_cube(scan, 32, keep_spacing=True) is scan


def test_what_was_done_is_recorded() -> None:
    cube = fit_cube(scan_of((64, 64, 16)), 32, keep_spacing=False)
    assert cube.conversions == ("before", "resized 64x64x16 to 32x32x8", "padded to 32x32x32")
    cube = fit_cube(scan_of((64, 64, 16)), 32, keep_spacing=True)
    assert cube.conversions == ("before", "cropped and padded to 32x32x32")
    cube = fit_cube(scan_of((20, 64, 32)), 64, keep_spacing=True)
    assert cube.conversions == ("before", "padded to 64x64x64")


def test_keep_spacing_crops_and_pads_about_the_centre() -> None:
    scan = scan_of((40, 20, 32), (1.0, 2.0, 3.0))
    cube = fit_cube(scan, 32, keep_spacing=True)
    assert cube.spacing_mm == scan.spacing_mm
    np.testing.assert_array_equal(cube.pixels[:, :, 6:26], scan.pixels[:, 4:36])
    assert not cube.pixels[:, :, :6].any()
    assert not cube.pixels[:, :, 26:].any()


def test_a_point_stays_in_its_place() -> None:
    pixels = np.zeros((1, 60, 40, 20), np.float32)
    pixels[0, 45:48, 10:13, 15:18] = 1
    cube = fit_cube(Scan(pixels, (60, 40, 20), (1.0, 1.0, 2.0), "RAS"), 30, keep_spacing=False)
    centre = np.array([found.mean() for found in np.nonzero(cube.pixels[0] > 0.4)])
    # Native voxel centres 46, 11 and 16 in a cube of 2 mm voxels, padded by 0, 5 and 5.
    expected = (np.array([46, 11, 16]) + 0.5) * (1, 1, 2) / 2 - 0.5 + (0, 5, 5)
    assert np.abs(centre - expected).max() <= 0.5


def test_values_stay_in_the_unit_interval_and_keep_their_mean() -> None:
    scan = scan_of((100, 90, 80), (1.0, 1.0, 1.0))
    cube = fit_cube(scan, 25, keep_spacing=False)
    inner = cube.pixels[cube.pixels > 0]
    assert 0 <= inner.min() <= inner.max() <= 1
    assert inner.mean() == pytest.approx(0.5, abs=0.01)
    assert inner.std() < 0.1  # noise is averaged, not picked
    grown = fit_cube(scan_of((8, 8, 8)), 30, keep_spacing=False)
    assert (grown.pixels.min(), grown.pixels.max()) >= (0, 0.9)
    assert grown.pixels.max() <= 1


def test_a_request_asks_for_cubes() -> None:
    scan = scan_of((64, 64, 16), (1.0, 1.0, 4.0))
    assert Request(size=32, policy=Policy(dims=3)).fit(scan).spacing_mm == (2.0, 2.0, 2.0)
    kept = Request(size=32, policy=Policy(dims=3, spacing_mm=1.0)).fit(scan)
    assert kept.spacing_mm == scan.spacing_mm


def test_a_large_volume_takes_little_time() -> None:
    scan = scan_of((256, 256, 64), (1.0, 1.0, 4.0))
    took = []
    for _ in range(5):
        start = time.process_time()
        fit_cube(scan, 32, keep_spacing=False)
        took.append(time.process_time() - start)
    assert min(took) < 0.5
