"""SSIM against scikit-image, MS-SSIM against its formula in 64 bits, and their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity as reference_similarity

from latentdx.autoencoder.losses.structural import (
    multiscale_similarity,
    n_scales,
    structural_similarity,
)
from latentdx.autoencoder.losses.windows import halved

# Variances are differences of means of squares in 32 bits: the error stays below this.
SSIM_TOLERANCE = 2e-4


def reference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """scikit-image's map of one channel: uniform 7 x 7 window, population statistics."""
    _, found = reference_similarity(
        first.astype(np.float64),
        second.astype(np.float64),
        win_size=7,
        data_range=1.0,
        use_sample_covariance=False,
        gaussian_weights=False,
        full=True,
    )
    return found


def different_in_the_middle(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two images (24, 24) equal wherever a window reaches over the border: there SSIM is 1."""
    generator = np.random.default_rng(seed)
    first = generator.random((24, 24)).astype(np.float32)
    second = first.copy()
    second[7:-7, 7:-7] = generator.random((10, 10)).astype(np.float32)
    return first, second


@pytest.mark.parametrize("seed", range(3))
def test_similarity_is_scikit_images_away_from_the_border(seed: int) -> None:
    first, second = different_in_the_middle(seed)
    images = (torch.from_numpy(image)[None, None] for image in (first, second))
    expected = reference(first, second)
    assert expected.mean() < 0.9
    assert structural_similarity(*images).item() == pytest.approx(
        expected.mean(), abs=SSIM_TOLERANCE
    )


def test_similarity_is_told_by_image_and_averaged_over_channels() -> None:
    pairs = [different_in_the_middle(seed) for seed in range(4)]
    first, second = (
        torch.from_numpy(np.stack(images).reshape(2, 2, 24, 24))
        for images in zip(*pairs, strict=True)
    )
    expected = np.array([reference(*pair).mean() for pair in pairs]).reshape(2, 2).mean(axis=1)
    np.testing.assert_allclose(
        structural_similarity(first, second).numpy(), expected, atol=SSIM_TOLERANCE
    )


def test_similarity_is_one_for_the_same_image_and_low_for_its_negative() -> None:
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(structural_similarity(image, image), 1, atol=1e-6)
    assert structural_similarity(image, 1 - image).max() < 0
    constant = torch.full_like(image, 0.7)
    np.testing.assert_allclose(structural_similarity(constant, constant), 1, atol=2e-3)


def test_similarity_of_volumes_is_scikit_images_away_from_the_border() -> None:
    generator = np.random.default_rng(0)
    first = generator.random((20, 22, 21)).astype(np.float32)
    second = first.copy()
    second[7:-7, 7:-7, 7:-7] = generator.random((6, 8, 7))
    expected = reference(first, second).mean()
    found = structural_similarity(*(torch.from_numpy(v)[None, None] for v in (first, second)))
    assert expected < 0.97
    assert found.item() == pytest.approx(expected, abs=SSIM_TOLERANCE)


def contrast_and_structure(first: np.ndarray, second: np.ndarray) -> float:
    """Its mean over the middle pixels, where a 7 x 7 window is whole, and 1 elsewhere."""

    def mean(image: np.ndarray) -> np.ndarray:
        return uniform_filter(image, 7)

    variances = [mean(image**2) - mean(image) ** 2 for image in (first, second)]
    covariance = mean(first * second) - mean(first) * mean(second)
    found = (2 * covariance + 0.03**2) / (sum(variances) + 0.03**2)
    inner = (slice(3, -3),) * 2
    return float((found[inner].sum() + found.size - found[inner].size) / found.size)


def test_similarity_at_two_scales_is_the_weighted_product() -> None:
    generator = np.random.default_rng(0)
    first = generator.random((26, 26))
    second = first.copy()
    second[8:-8, 8:-8] = 0.5 * first[8:-8, 8:-8] + 0.3 * generator.random((10, 10))
    coarse = [image.reshape(13, 2, 13, 2).mean(axis=(1, 3)) for image in (first, second)]
    luminous = structural_similarity(*(torch.from_numpy(image)[None, None] for image in coarse))
    total = 0.0448 + 0.2856
    expected = contrast_and_structure(first, second) ** (0.0448 / total)
    expected *= luminous.item() ** (0.2856 / total)
    images = (torch.from_numpy(image.astype(np.float32))[None, None] for image in (first, second))
    assert expected < 0.95
    assert multiscale_similarity(*images).item() == pytest.approx(expected, abs=1e-4)


def test_scales_are_as_many_as_an_axis_can_be_halved() -> None:
    assert [n_scales((side, side)) for side in (8, 13, 14, 27, 28, 112, 1000)] == [
        *(1, 1, 2, 2, 3, 5, 5)
    ]
    assert n_scales((64, 64, 8)) == 4
    volume = torch.arange(28 * 8.0).reshape(1, 1, 28, 8)
    coarse = halved(volume, 7)  # the axis of 8 would have 4
    assert torch.equal(coarse, (volume[:, :, ::2] + volume[:, :, 1::2]) / 2)
    small = [torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(s)) for s in (0, 1)]
    torch.testing.assert_close(multiscale_similarity(*small), structural_similarity(*small))


@pytest.mark.parametrize("size", [(29, 31), (64, 8), (14, 15, 16), (32, 32, 8)], ids=str)
def test_similarity_at_many_scales_is_finite_also_for_a_negative(size: tuple[int, ...]) -> None:
    scan = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(multiscale_similarity(scan, scan), torch.ones(2))
    negative = (1 - scan).requires_grad_()
    found = multiscale_similarity(negative, scan)
    found.sum().backward()
    assert found.max() < 0.5
    assert negative.grad is not None
    assert negative.grad.isfinite().all()


def test_blur_is_seen_at_fine_scales_and_forgiven_at_coarse_ones() -> None:
    scan = torch.rand(1, 1, 56, 56, generator=torch.Generator().manual_seed(0))
    blurred = torch.nn.functional.avg_pool2d(scan, 3, 1, 1)
    once, many = structural_similarity(scan, blurred), multiscale_similarity(scan, blurred)
    assert 0 < once < many < 1
    assert math.isfinite(many)
