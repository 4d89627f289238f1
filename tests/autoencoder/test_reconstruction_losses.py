"""Every reconstruction loss: by hand, and the laws that all keep, on images and volumes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch

from latentdx.autoencoder.losses.frequency import focal_frequency
from latentdx.autoencoder.losses.gradient import gradient_error
from latentdx.autoencoder.losses.pixel import (
    binary_cross_entropy,
    charbonnier,
    local_contrast,
    mean_absolute_error,
    mean_squared_error,
)
from latentdx.autoencoder.losses.reconstruction import (
    RECONSTRUCTION,
    ReconstructionName,
    reconstruction_loss,
    ssim_gradient,
)
from latentdx.autoencoder.losses.structural import structural_similarity
from latentdx.core.errors import StopError

SIZES = [(8, 8), (16, 16), (29, 31), (8, 40), (8, 8, 8), (13, 14, 15), (16, 16, 8)]
ONE_SIDED = {"bce", "local-contrast"}

every_loss = pytest.mark.parametrize("name", get_args(ReconstructionName))
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def two(size: tuple[int, ...], channels: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scan = torch.rand(2, channels, *size, generator=generator)
    moved = scan + 0.2 * torch.randn(scan.shape, generator=generator)
    return moved.clamp(0, 1), scan


@every_loss
@every_size
def test_a_loss_is_a_scalar_and_finite_with_its_gradient_everywhere(
    name: ReconstructionName, size: tuple[int, ...]
) -> None:
    moved, scan = two(size)
    for rebuilt in (moved, scan.clone(), torch.zeros_like(scan), torch.ones_like(scan)):
        rebuilt.requires_grad_()
        loss = RECONSTRUCTION[name](rebuilt, scan)
        loss.backward()
        assert loss.ndim == 0
        assert loss.isfinite()
        assert rebuilt.grad is not None
        assert rebuilt.grad.isfinite().all()
        if not torch.equal(rebuilt, scan) and name != "bce":  # which is flat beyond its ends
            assert rebuilt.grad.any()


@every_loss
def test_a_loss_of_black_scans_is_finite_with_its_gradient(name: ReconstructionName) -> None:
    black = torch.zeros(2, 1, 16, 16)
    for level in (0.0, 0.3):
        rebuilt = torch.full_like(black, level, requires_grad=True)
        loss = RECONSTRUCTION[name](rebuilt, black)
        loss.backward()
        assert loss.isfinite()
        assert rebuilt.grad is not None
        assert rebuilt.grad.isfinite().all()


@every_loss
@every_size
def test_a_loss_is_least_for_the_scan_itself_and_grows_with_the_error(
    name: ReconstructionName, size: tuple[int, ...]
) -> None:
    moved, scan = two(size)
    loss = RECONSTRUCTION[name]
    steps = [float(loss(torch.lerp(scan, moved, share), scan)) for share in (0.0, 0.3, 0.6, 1.0)]
    assert all(less < more for less, more in pairwise(steps))
    if name != "bce":  # the entropy of the scan itself
        assert steps[0] == pytest.approx(0, abs=1e-6)


@every_loss
def test_a_loss_is_symmetric_but_for_those_that_ask_the_scan(name: ReconstructionName) -> None:
    loss = RECONSTRUCTION[name]
    moved, scan = two((16, 16))
    there, back = float(loss(moved, scan)), float(loss(scan, moved))
    assert (there == pytest.approx(back, rel=1e-5)) == (name not in ONE_SIDED)


@every_loss
@pytest.mark.parametrize("axis", [2, 3, 4])
def test_a_volume_of_equal_slices_costs_what_its_slice_does(
    name: ReconstructionName, axis: int
) -> None:
    moved, scan = two((28, 29))
    loss = RECONSTRUCTION[name]
    stacked = [image.unsqueeze(axis).repeat_interleave(9, dim=axis) for image in (moved, scan)]
    torch.testing.assert_close(loss(*stacked), loss(moved, scan), rtol=1e-4, atol=1e-6)


@every_loss
def test_a_loss_is_computed_in_32_bits_under_autocast(name: ReconstructionName) -> None:
    moved, scan = two((16, 16))
    rounded = moved.bfloat16().requires_grad_()
    exact = RECONSTRUCTION[name](rounded.detach().float(), scan)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = RECONSTRUCTION[name](rounded, scan)
        summed = reconstruction_loss({name: 2.0})(rounded, scan)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact)
    torch.testing.assert_close(summed, 2 * exact)
    found.backward()
    assert rounded.grad is not None
    assert rounded.grad.isfinite().all()


def test_losses_are_added_by_their_weights() -> None:
    moved, scan = two((16, 16))
    expected = 3 * mean_squared_error(moved, scan) + 0.5 * mean_absolute_error(moved, scan)
    torch.testing.assert_close(reconstruction_loss({"mse": 3, "l1": 0.5})(moved, scan), expected)


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StopError, match="ms-ssim") as caught:
        reconstruction_loss("msssim")
    assert caught.value.code == "E_NAME"


def test_mean_errors_are_over_all_pixels() -> None:
    scan = torch.zeros(1, 2, 1, 2)
    rebuilt = torch.tensor([[[[1.0, 0.0]], [[-0.5, 0.0]]]])
    assert mean_squared_error(rebuilt, scan).item() == pytest.approx(1.25 / 4)
    assert mean_absolute_error(rebuilt, scan).item() == pytest.approx(1.5 / 4)


def test_charbonnier_is_quadratic_near_zero_and_absolute_far_from_it() -> None:
    scan = torch.zeros(1, 1, 1, 2)
    far = torch.tensor([[[[0.75, -0.25]]]])
    expected = (math.hypot(0.75, 1e-3) + math.hypot(0.25, 1e-3)) / 2 - 1e-3
    assert charbonnier(far, scan).item() == pytest.approx(expected, rel=1e-5)
    near = torch.full_like(scan, 1e-4)
    assert charbonnier(near, scan).item() == pytest.approx(1e-8 / 2e-3, rel=0.01)


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


@pytest.mark.parametrize("size", [(8, 8), (9, 11), (6, 7, 8), (7, 8, 9)], ids=str)
def test_focal_frequency_is_that_of_the_whole_spectrum_in_64_bits(size: tuple[int, ...]) -> None:
    moved, scan = two(size)
    axes = tuple(range(2, 2 + len(size)))
    spectrum = np.fft.fftn((moved - scan).double().numpy(), axes=axes, norm="ortho")
    amplitude = np.abs(spectrum)
    focus = amplitude / amplitude.max(axis=axes, keepdims=True)
    expected = (focus * amplitude**2).mean()
    assert focal_frequency(moved, scan).item() == pytest.approx(expected, rel=1e-4)


def test_the_focus_on_a_frequency_is_not_differentiated() -> None:
    scan = torch.zeros(1, 1, 8, 8)
    rebuilt = torch.full_like(scan, 0.5, requires_grad=True)  # the mean alone: its focus is 1
    focal_frequency(rebuilt, scan).backward()
    torch.testing.assert_close(rebuilt.grad, torch.full_like(scan, 2 * 0.5 / 64))


def test_local_contrast_divides_by_the_deviation_around_and_a_tenth() -> None:
    flat = torch.full((1, 1, 9, 9), 0.25)
    assert local_contrast(flat + 0.05, flat).item() == pytest.approx(0.25)
    stripes = (torch.arange(30) % 2 * 1.0).expand(1, 1, 30, 30)
    rebuilt = stripes.clone()
    rebuilt[..., 15, 15] += 0.3
    # a window has three stripes of its own level and four of the other: 4/7 from its mean
    expected = (0.3 / (4 / 7 + 0.1)) ** 2 / 900
    assert local_contrast(rebuilt, stripes).item() == pytest.approx(expected, rel=1e-4)


def test_the_joint_loss_is_the_weighted_sum() -> None:
    first, second = two((16, 16))
    expected = (
        10 * ((first - second) ** 2).mean()
        + (1 - structural_similarity(first, second).mean()) / 2
        + gradient_error(first, second)
    )
    torch.testing.assert_close(ssim_gradient(first, second), expected)
    parts = {"mse": 10, "ssim": 0.5, "gradient": 1}
    torch.testing.assert_close(reconstruction_loss(parts)(first, second), expected)
