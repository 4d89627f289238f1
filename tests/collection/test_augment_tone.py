"""Grey values: window, gain, noise of each kind, negatives, and what resolution loses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from latentdx.collection.augment import AugmentSettings, NoiseKind, apply, draw
from latentdx.collection.augment_sharpness import blurred, coarsened
from latentdx.collection.augment_tone import gained

NOTHING = AugmentSettings(rotation=0.0, shift=0.0, zoom=(1.0, 1.0), flip=0.0, sometimes=1.0)
LARGE = (4, 1, 128, 128)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=seeded(5))


def applied(pixels: Tensor, settings: AugmentSettings, seed: int = 0) -> Tensor:
    return apply(pixels, draw(len(pixels), settings, seeded(seed), dims=pixels.ndim - 2))


def with_noise(level: float, kind: NoiseKind, deviation: float = 0.05) -> Tensor:
    settings = replace(NOTHING, noise=deviation, noise_kind=kind)
    return applied(torch.full(LARGE, level), settings)


def test_speckle_scales_with_the_signal() -> None:
    for level in (0.2, 0.6):
        found = with_noise(level, "speckle")
        assert found.mean().item() == pytest.approx(level, rel=0.005)
        assert found.std().item() == pytest.approx(0.05 * level, rel=0.03)
    assert not with_noise(0.0, "speckle").any()


def test_rician_noise_lifts_the_dark_as_rayleigh_has_it() -> None:
    dark = with_noise(0.0, "rician")
    assert dark.mean().item() == pytest.approx(0.05 * math.sqrt(math.pi / 2), rel=0.01)
    assert dark.std().item() == pytest.approx(0.05 * math.sqrt(2 - math.pi / 2), rel=0.03)
    bright = with_noise(0.6, "rician")
    assert bright.mean().item() == pytest.approx(0.6 + 0.05**2 / 1.2, abs=0.0008)
    assert bright.std().item() == pytest.approx(0.05, rel=0.03)


def test_poisson_noise_grows_with_the_root_of_the_signal() -> None:
    for level in (0.16, 0.64):
        found = with_noise(level, "poisson")
        assert found.mean().item() == pytest.approx(level, rel=0.005)
        assert found.std().item() == pytest.approx(0.05 * math.sqrt(level), rel=0.03)


def test_each_image_has_its_own_noise_level_where_a_range_is_given() -> None:
    drawn = draw(500, replace(NOTHING, noise=(0.01, 0.05)), seeded())
    assert drawn.noise is not None
    assert 0.01 <= drawn.noise.min() < 0.012
    assert 0.048 < drawn.noise.max() <= 0.05
    found = apply(torch.full((500, 1, 20, 20), 0.5), drawn)
    torch.testing.assert_close(found.std(dim=(1, 2, 3)), drawn.noise.flatten(), rtol=0.2, atol=0)


def test_a_window_jitter_is_reading_the_scan_with_another_window() -> None:
    hounsfield = pictures(20, 1, 12, 12) * 2000 - 1000
    low, width = -160.0, 400.0
    drawn = draw(20, replace(NOTHING, window_centre=0.1, window_width=0.4), seeded())
    assert drawn.window is not None
    # narrower windows inside the stored one lose nothing by it
    inside = (drawn.window[:, 0] >= 0) & (drawn.window.sum(dim=1) <= 1)
    assert inside.sum() > 3
    other_low = low + width * drawn.window[:, 0].reshape(-1, 1, 1, 1)
    other_width = width * drawn.window[:, 1].reshape(-1, 1, 1, 1)
    found = apply(((hounsfield - low) / width).clamp(0, 1), drawn)
    expected = ((hounsfield - other_low) / other_width).clamp(0, 1)
    torch.testing.assert_close(found[inside], expected[inside], atol=1e-5, rtol=0)


def test_what_a_window_cuts_stays_cut_whatever_the_contrast() -> None:
    pixels = pictures(1, 1, 12, 12)
    drawn = draw(1, NOTHING, seeded())
    narrow = replace(drawn, window=torch.tensor([[0.3, 0.4]]))
    flat = replace(narrow, contrast=torch.full((1, 1, 1, 1), 0.5))
    found = apply(pixels, flat)
    torch.testing.assert_close(found, 0.25 + 0.5 * apply(pixels, narrow))
    assert found.min().item() == pytest.approx(0.25)
    assert found.max().item() == pytest.approx(0.75)


def test_a_window_moves_no_further_than_asked() -> None:
    drawn = draw(2000, replace(NOTHING, window_centre=0.1, window_width=0.3), seeded())
    assert drawn.window is not None
    low, width = drawn.window.unbind(1)
    assert 0.09 < (low + width / 2 - 0.5).abs().max() <= 0.1001
    assert 0.29 < width.log().abs().max() <= 0.3001


@pytest.mark.parametrize("size", [(32, 40), (16, 20, 18)])
def test_the_field_of_gain_is_smooth_and_about_one(size: tuple[int, ...]) -> None:
    ones = torch.ones(30, 2, *size)
    drawn = draw(30, replace(NOTHING, bias=0.4), seeded(), dims=len(size))
    assert drawn.bias is not None
    assert drawn.bias.flatten(1).mean(dim=1).abs().max() < 1e-6
    gain = gained(ones, drawn)
    assert gain.mean().item() == pytest.approx(1.0, abs=0.03)
    assert 0.05 < gain[:, 0].std(dim=0).mean() < 0.4
    assert math.exp(-0.8) < gain.min() < 0.85
    assert 1.15 < gain.max() < math.exp(0.8)
    assert torch.equal(gain[:, 0], gain[:, 1])  # one coil for all channels
    steps = [gain.diff(dim=axis).abs().max().item() for axis in range(2, gain.ndim)]
    assert max(steps) < 3.2 / min(size)


def test_sure_negatives_are_negatives_and_some_are_some() -> None:
    pixels = pictures(400, 1, 4, 4)
    assert torch.equal(applied(pixels, replace(NOTHING, invert=1.0)), 1 - pixels)
    found = applied(pixels, replace(NOTHING, invert=0.3))
    negative = (found == 1 - pixels).flatten(1).all(dim=1)
    assert negative.float().mean().item() == pytest.approx(0.3, abs=0.08)
    assert torch.equal(found[~negative], pixels[~negative])


@pytest.mark.parametrize("shape", [(1, 1, 41, 41), (1, 1, 21, 21, 21)])
def test_a_blurred_point_is_a_gaussian(shape: tuple[int, ...]) -> None:
    point = torch.zeros(shape)
    middle = tuple(side // 2 for side in shape[2:])
    point[(0, 0, *middle)] = 1
    found = blurred(point, torch.tensor([1.5]))[0, 0]
    assert found.sum().item() == pytest.approx(1.0, abs=1e-5)
    for axis in range(found.ndim):
        profile = found.sum(dim=tuple(other for other in range(found.ndim) if other != axis))
        place = torch.arange(len(profile)) - middle[axis]
        assert (profile * place).sum().item() == pytest.approx(0, abs=1e-5)
        assert (profile * place**2).sum().sqrt().item() == pytest.approx(1.5, rel=0.03)


def test_sharpening_steepens_an_edge_and_leaves_the_flat() -> None:
    edge = torch.full((1, 1, 9, 20), 0.3)
    edge[..., 10:] = 0.6
    drawn = draw(1, replace(NOTHING, sharpen=1.0), seeded())
    found = apply(edge, drawn)
    assert drawn.sharpen is not None
    assert drawn.sharpen.item() > 0
    assert found[0, 0, 4, 10] - found[0, 0, 4, 9] > 0.31
    torch.testing.assert_close(found[..., :5], edge[..., :5])


def test_no_image_is_blurred_and_sharpened() -> None:
    drawn = draw(1000, replace(NOTHING, blur=1.0, sharpen=1.0, sometimes=0.5), seeded())
    assert drawn.blur is not None
    assert drawn.sharpen is not None
    changed, sharper = drawn.blur > 0, drawn.sharpen > 0
    assert changed.float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert sharper.float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert not (sharper & ~changed).any()
    assert drawn.blur[changed & ~sharper].max() <= 1
    assert drawn.blur[changed & ~sharper].min() >= 0.25


@pytest.mark.parametrize("shape", [(2, 1, 24, 36), (2, 1, 12, 12, 18)])
def test_lost_resolution_keeps_the_mean_and_loses_detail(shape: tuple[int, ...]) -> None:
    pixels = pictures(*shape)
    found = coarsened(pixels, 3.0)
    assert found.shape == pixels.shape
    assert found.mean().item() == pytest.approx(pixels.mean().item(), abs=0.01)
    assert found.var() < 0.4 * pixels.var()
    ramp = torch.linspace(0, 1, shape[-1]).expand(shape)
    torch.testing.assert_close(coarsened(ramp, 3.0)[..., 3:-3], ramp[..., 3:-3])


def test_only_the_images_drawn_for_it_lose_sharpness() -> None:
    pixels = pictures(60, 1, 12, 12)
    settings = replace(NOTHING, blur=1.0, coarse=3.0, sometimes=0.3)
    drawn = draw(60, settings, seeded())
    found = apply(pixels, drawn)
    assert drawn.blur is not None
    assert drawn.coarse is not None
    untouched = (drawn.blur == 0) & (drawn.coarse == 1)
    assert 15 < untouched.sum() < 45
    assert torch.equal(found[untouched], pixels[untouched])
    for number in (~untouched).nonzero()[:, 0].tolist():
        assert not torch.equal(found[number], pixels[number])
