"""Outside a region: what lies inside is not seen, what lies outside is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.features.probe_region import of_pixels


def bodies(count: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:48, :48]
    body = (rows - 23.5) ** 2 + (columns - 23.5) ** 2 < 16**2
    pixels = rng.uniform(0, 0.05, (count, 1, 48, 48)) + 0.6 * body
    return pixels.astype(np.float32), body


def test_what_lies_inside_is_painted_over() -> None:
    pixels, _ = bodies(6)
    changed = pixels.copy()
    changed[:, :, 18:30, 18:30] += 0.3
    np.testing.assert_allclose(of_pixels(pixels, "body"), of_pixels(changed, "body"), atol=0.01)
    marked = pixels.copy()
    marked[:, :, 2:6, 40:46] = 0.3
    assert np.abs(of_pixels(pixels, "body") - of_pixels(marked, "body")).max() > 0.1


def test_a_scan_without_the_region_says_nothing_and_volumes_are_flattened() -> None:
    assert not of_pixels(np.full((2, 1, 20, 20), 0.5, np.float32), "lung").any()
    pixels, _ = bodies(2)
    volume = np.repeat(pixels[..., None], 5, axis=-1)
    assert of_pixels(volume, "body").shape == (2, 144)
