"""Draw, then apply: a draw is replayable, bounded, and does nothing where nothing is asked."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentdx.collection.augment import GEOMETRIC, VIEWS, AugmentSettings, apply, draw

NOTHING = AugmentSettings(rotation=0.0, shift=0.0, zoom=(1.0, 1.0), flip=0.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 8, *, size: int = 15, channels: int = 2) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=seeded(5))


@pytest.mark.parametrize("settings", [GEOMETRIC, VIEWS], ids=["geometric", "views"])
def test_the_same_draw_makes_the_same_pixels(settings: AugmentSettings) -> None:
    pixels = noise()
    drawn = draw(8, settings, seeded())
    first = apply(pixels, drawn)
    torch.manual_seed(99)
    assert torch.equal(apply(pixels, drawn), first)
    assert torch.equal(apply(pixels, draw(8, settings, seeded())), first)
    assert not torch.equal(apply(pixels, draw(8, settings, seeded(1))), first)


@pytest.mark.parametrize("settings", [GEOMETRIC, VIEWS], ids=["geometric", "views"])
def test_drawing_and_applying_leave_torchs_generator_alone(settings: AugmentSettings) -> None:
    state = torch.get_rng_state()
    apply(noise(), draw(8, settings, seeded()))
    assert torch.equal(torch.get_rng_state(), state)


def test_without_any_change_asked_for_the_images_stay() -> None:
    pixels = noise()
    torch.testing.assert_close(apply(pixels, draw(8, NOTHING, seeded())), pixels, atol=1e-5, rtol=0)


def test_the_images_given_are_not_changed() -> None:
    pixels = noise()
    before = pixels.clone()
    apply(pixels, draw(8, VIEWS, seeded()))
    assert torch.equal(pixels, before)


def test_a_sure_flip_mirrors_left_to_right() -> None:
    pixels = noise()
    found = apply(pixels, draw(8, replace(NOTHING, flip=1.0), seeded()))
    torch.testing.assert_close(found, pixels.flip(-1), atol=1e-5, rtol=0)


def test_half_of_the_images_are_flipped_where_the_chance_is_a_half() -> None:
    drawn = draw(2000, replace(NOTHING, flip=0.5), seeded())
    assert (drawn.theta[:, 0, 0] < 0).float().mean().item() == pytest.approx(0.5, abs=0.04)


def test_values_stay_in_range_and_nothing_is_lost_to_nan() -> None:
    wild = AugmentSettings(
        rotation=180.0,
        shift=0.5,
        zoom=(0.3, 4.0),
        contrast=2.0,
        brightness=1.0,
        gamma=2.0,
        noise=0.5,
    )
    pixels = (noise(64) > 0.5).float()
    found = apply(pixels, draw(64, wild, seeded()))
    assert found.shape == pixels.shape
    assert found.isfinite().all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_magnification_enlarges_about_the_middle() -> None:
    pixels = torch.zeros(1, 1, 16, 16)
    pixels[..., 6:10, 6:10] = 1
    drawn = draw(1, replace(NOTHING, zoom=(2.0, 2.0)), seeded())
    middle = replace(drawn, theta=drawn.theta * torch.tensor([1.0, 1.0, 0.0]))
    assert apply(pixels, middle).sum().item() == pytest.approx(4 * pixels.sum().item(), rel=0.05)


def test_rotation_is_in_degrees_and_within_its_limit() -> None:
    drawn = draw(500, replace(NOTHING, rotation=30.0), seeded())
    degrees = torch.atan2(drawn.theta[:, 1, 0], drawn.theta[:, 0, 0]) * 180 / math.pi
    assert degrees.abs().max() <= 30.001
    assert degrees.abs().max() > 28
    torch.testing.assert_close(torch.linalg.det(drawn.theta[:, :, :2]), torch.ones(500))


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    pixels = noise(1)
    drawn = draw(1, NOTHING, seeded())
    turned = replace(drawn, theta=torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]))
    expected = torch.rot90(pixels, k=1, dims=(2, 3))
    torch.testing.assert_close(apply(pixels, turned), expected, atol=1e-5, rtol=0)


def test_a_shift_is_a_fraction_of_the_side_and_brings_in_black() -> None:
    pixels = torch.ones(200, 1, 20, 20)
    drawn = draw(200, replace(NOTHING, shift=0.1), seeded())
    assert drawn.theta[:, :, 2].abs().max().item() == pytest.approx(0.2, abs=0.01)  # of -1..1
    black = (apply(pixels, drawn) < 0.5).flatten(1).sum(dim=1)
    assert black.max() <= 20 * 2 * 2
    assert black.max() > 40


def test_intensity_changes_as_told() -> None:
    pixels = noise(4)
    drawn = draw(4, NOTHING, seeded())
    brighter = replace(drawn, brightness=torch.full((4, 1, 1, 1), 0.1))
    flatter = replace(drawn, contrast=torch.full((4, 1, 1, 1), 0.5))
    darker = replace(drawn, gamma=torch.full((4, 1, 1, 1), 2.0))
    changed = {
        "brighter": (brighter, (pixels + 0.1).clamp(max=1)),
        "flatter": (flatter, (pixels - 0.5) * 0.5 + 0.5),
        "darker": (darker, pixels**2),
    }
    for given, expected in changed.values():
        torch.testing.assert_close(apply(pixels, given), expected, atol=1e-5, rtol=0)


def test_noise_has_the_deviation_asked_for() -> None:
    grey = torch.full((8, 1, 40, 40), 0.5)
    found = apply(grey, draw(8, replace(NOTHING, noise=0.05), seeded())) - grey
    inside = found[..., 1:-1, 1:-1]
    assert inside.std().item() == pytest.approx(0.05, rel=0.05)
    assert not np.allclose(inside[0], inside[1])
