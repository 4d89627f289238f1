"""Noise is drawn as said, and the network has to give back the scan without it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import mse_loss

from latentdx.autoencoder.denoising import (
    NOISES,
    DenoisingAutoencoder,
    coarse,
    gaussian,
    masking,
    salt_and_pepper,
)
from latentdx.core.errors import StopError

every_noise = pytest.mark.parametrize("noise", NOISES)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scans(*shape: int) -> torch.Tensor:
    """In 0.2..0.8: neither 0 nor 1 occurs."""
    return 0.2 + 0.6 * torch.rand(shape, generator=seeded(9))


def test_gaussian_noise_has_mean_0_and_the_level_as_deviation() -> None:
    pixels = scans(8, 1, 64, 64)
    noise = gaussian(pixels, 0.2, seeded()) - pixels
    assert abs(float(noise.mean())) < 0.005
    assert float(noise.std()) == pytest.approx(0.2, rel=0.02)
    torch.testing.assert_close(noise, 0.2 * torch.randn(pixels.shape, generator=seeded()))


def test_masking_sets_its_share_to_0_and_leaves_the_rest() -> None:
    pixels = scans(8, 1, 64, 64)
    found = masking(pixels, 0.3, seeded())
    is_masked = found == 0
    assert float(is_masked.float().mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(found[~is_masked], pixels[~is_masked])


def test_salt_and_pepper_are_alike_in_number() -> None:
    pixels = scans(8, 1, 64, 64)
    found = salt_and_pepper(pixels, 0.3, seeded())
    is_kept = (found > 0) & (found < 1)
    assert float((found == 0).float().mean()) == pytest.approx(0.15, abs=0.01)
    assert float((found == 1).float().mean()) == pytest.approx(0.15, abs=0.01)
    assert torch.equal(found[is_kept], pixels[is_kept])


@pytest.mark.parametrize("size", [(64, 64), (40, 33), (32, 24, 32)], ids=str)
def test_coarse_noise_is_smooth_within_its_cells(size: tuple[int, ...]) -> None:
    pixels = scans(6, 2, *size)
    noise = coarse(pixels, 0.2, seeded()) - pixels
    assert abs(float(noise.mean())) < 0.03
    assert 0.06 < float(noise.std()) < 0.2  # linear interpolation averages
    for axis in range(2, noise.ndim):
        steps = noise.diff(dim=axis)
        assert float(steps.pow(2).mean().sqrt()) < 0.5 * float(noise.std())  # 1.4 of white noise
        assert float(steps.abs().mean()) > 0.01 * float(noise.std())


def test_coarse_noise_is_rolled_by_what_the_generator_says() -> None:
    """Where enlarged, the border's half cells are flat: they lie elsewhere with each roll."""
    pixels = torch.zeros(1, 1, 64, 64)
    noises = [coarse(pixels, 1.0, seeded(seed))[0, 0] for seed in range(8)]
    for axis in (0, 1):
        steps = [noise.diff(dim=axis).abs().amax(dim=1 - axis) for noise in noises]
        flat = [tuple((step < 1e-6).tolist()) for step in steps]
        assert all(sum(found) >= 5 for found in flat)
        assert len(set(flat)) > 4


@every_noise
def test_the_target_is_the_clean_scan(noise: Any) -> None:
    network, pixels = (
        DenoisingAutoencoder(size=16, widths=(8, 16), noise=noise),
        scans(8, 1, 16, 16),
    )
    network.eval()
    spoilt = network.spoilt(pixels, seeded(3))
    rebuilt = network(spoilt)
    found = network.losses(pixels, seeded(3))["reconstruction"]
    torch.testing.assert_close(found, mse_loss(rebuilt, pixels))
    assert not torch.equal(found, mse_loss(network(pixels), pixels))
    assert not torch.allclose(found, mse_loss(rebuilt, spoilt), rtol=0.05)


@every_noise
@pytest.mark.parametrize("size", [(16, 13), (9, 12, 10)], ids=str)
def test_noise_is_of_the_generator_alone_and_differs_between_scans(
    noise: Any, size: tuple[int, ...]
) -> None:
    network = DenoisingAutoencoder(channels=2, size=size, widths=(8, 16), noise=noise)
    pixels = scans(1, 2, *size).expand(3, 2, *size)
    found = network.spoilt(pixels, seeded(1))
    assert torch.equal(found, network.spoilt(pixels, seeded(1)))
    assert not torch.equal(found, network.spoilt(pixels, seeded(2)))
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[:, 0] - pixels[:, 0], found[:, 1] - pixels[:, 1])


@every_noise
def test_no_level_is_no_noise(noise: Any) -> None:
    pixels = scans(2, 1, 16, 16)
    assert torch.equal(NOISES[noise](pixels, 0.0, seeded()), pixels)


def test_an_unknown_noise_is_refused() -> None:
    with pytest.raises(StopError, match="gaussian, masking, salt-and-pepper, coarse") as caught:
        DenoisingAutoencoder(noise="poisson")  # type: ignore[arg-type]
    assert caught.value.code == "E_NAME"
