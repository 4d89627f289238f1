"""The rivals' features: what they keep of images, and of volumes."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.features.pixels import flat_pixels, hog


def test_pixels_of_images_are_kept_as_they_are(generator: np.random.Generator) -> None:
    images = generator.random((3, 2, 9, 11)).astype(np.float32)
    np.testing.assert_array_equal(flat_pixels(images), images.reshape(3, -1))


def test_voxels_are_averaged_in_blocks(generator: np.random.Generator) -> None:
    volumes = generator.random((3, 1, 32, 16, 10)).astype(np.float32)
    expected = volumes.reshape(3, 1, 16, 2, 16, 10).mean(axis=3)
    np.testing.assert_allclose(flat_pixels(volumes), expected.reshape(3, -1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(29, 31), (8, 8), (24, 24, 24), (9, 30, 17)])
def test_hog_takes_any_size(shape: tuple[int, ...], generator: np.random.Generator) -> None:
    scans = generator.random((2, 3, *shape)).astype(np.float32)
    found = hog(scans)
    assert found.shape[0] == 2
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found[0] - found[1]).max() > 0.01


@pytest.mark.parametrize("axis", range(3))
def test_hog_sees_edges_across_every_axis_of_a_volume(axis: int) -> None:
    """A wall across an axis off the middle: another place, other histograms."""
    near, far = (np.zeros((1, 1, 20, 20, 20), np.float32) for _ in range(2))
    np.moveaxis(near, axis + 2, 0)[:7] = 1
    np.moveaxis(far, axis + 2, 0)[:13] = 1
    assert np.abs(hog(near) - hog(far)).max() > 0.1
