"""Losses against scikit-image, arithmetic by hand, and their edges."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity as reference_similarity

from latentdx.autoencoder.losses.reconstruction import (
    RECONSTRUCTION,
    ReconstructionName,
    binary_cross_entropy,
    gradient_error,
    mean_squared_error,
    ssim_gradient,
    structural_similarity,
)

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


def test_gradient_error_by_hand() -> None:
    scan = torch.tensor([[[[0.0, 0.5], [0.25, 1.0]]]])
    flat = torch.zeros_like(scan)
    vertical = (0.25 + 0.5) / 2
    horizontal = (0.5 + 0.75) / 2
    assert gradient_error(flat, scan).item() == pytest.approx(vertical + horizontal)
    assert gradient_error(scan + 0.125, scan).item() == 0


def test_binary_cross_entropy_by_hand_and_finite_at_the_ends() -> None:
    scan = torch.tensor([[[[0.0, 1.0, 0.25]]]])
    rebuilt = torch.tensor([[[[0.5, 0.8, 0.25]]]])
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    expected = (math.log(2) - math.log(0.8) + entropy) / 3
    assert binary_cross_entropy(rebuilt, scan).item() == pytest.approx(expected, rel=1e-5)
    ends = torch.tensor([[[[1.0, 0.0, 1.0]]]], requires_grad=True)
    loss = binary_cross_entropy(ends, scan)
    loss.backward()
    assert loss.isfinite()
    assert loss > 5
    assert ends.grad is not None
    assert ends.grad.isfinite().all()


def test_the_joint_loss_is_the_weighted_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 1, 16, 16, generator=generator) for _ in range(2))
    expected = (
        10 * ((first - second) ** 2).mean()
        + (1 - structural_similarity(first, second).mean()) / 2
        + gradient_error(first, second)
    )
    torch.testing.assert_close(ssim_gradient(first, second), expected)


@pytest.mark.parametrize("name", get_args(ReconstructionName))
def test_every_loss_is_least_for_the_scan_itself(name: ReconstructionName) -> None:
    loss = RECONSTRUCTION[name]
    generator = torch.Generator().manual_seed(0)
    scan = torch.rand(2, 1, 16, 16, generator=generator)
    best = loss(scan, scan)
    assert best.ndim == 0
    for _ in range(5):
        moved = (scan + 0.1 * torch.randn(scan.shape, generator=generator)).clamp(0, 1)
        assert loss(moved, scan) > best


def test_mean_squared_error_is_over_all_pixels() -> None:
    scan = torch.zeros(1, 2, 1, 2)
    rebuilt = torch.tensor([[[[1.0, 0.0]], [[0.5, 0.0]]]])
    assert mean_squared_error(rebuilt, scan).item() == pytest.approx(1.25 / 4)
