"""What holds of every augmentation: replay, records, company, range, gradients, presets."""

from __future__ import annotations

import doctest
import json
from dataclasses import fields, replace
from importlib import import_module
from typing import get_args

import pytest
import torch
from augment_everything import EVERYTHING
from torch import Tensor

from latentdx.collection.augment import (
    VIEWS,
    AugmentSettings,
    Draw,
    NoiseKind,
    apply,
    draw,
)
from latentdx.collection.augment_presets import (
    PRESETS,
    ModalityChoice,
    PresetName,
    preset,
    preset_name,
)

NOTHING = AugmentSettings(rotation=0.0, shift=0.0, zoom=(1.0, 1.0), flip=0.0)
ALL = {**PRESETS, "everything": EVERYTHING}
SHAPES = [(12, 1, 16, 16), (12, 3, 11, 17), (12, 2, 9, 8, 10)]
MODULES = (
    *("augment", "augment_borrow", "augment_draw", "augment_fields", "augment_presets"),
    *("augment_sharpness", "grey_levels"),
)

by_settings = pytest.mark.parametrize("settings", ALL.values(), ids=ALL.keys())
by_shape = pytest.mark.parametrize("shape", SHAPES, ids=["square", "colour", "volume"])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=seeded(5))


def drawn_for(pixels: Tensor, settings: AugmentSettings, seed: int = 0) -> Draw:
    return draw(len(pixels), settings, seeded(seed), dims=pixels.ndim - 2)


def test_everything_asks_for_everything() -> None:
    plain = AugmentSettings()
    for item in fields(AugmentSettings):
        assert getattr(EVERYTHING, item.name) != getattr(plain, item.name) or item.name == "flip"
    drawn = drawn_for(pictures(2, 1, 8, 8), EVERYTHING)
    assert not [item.name for item in fields(Draw) if getattr(drawn, item.name) is None]


@by_shape
@by_settings
def test_a_draw_comes_back_from_json_and_gives_the_same_bits(
    settings: AugmentSettings, shape: tuple[int, ...]
) -> None:
    pixels = pictures(*shape)
    before = pixels.clone()
    drawn = drawn_for(pixels, settings)
    found = apply(pixels, drawn)
    assert torch.equal(pixels, before)
    record = json.loads(json.dumps(drawn.as_record(), allow_nan=False))
    again = Draw.from_record(record)
    assert again.as_record() == drawn.as_record()
    torch.manual_seed(99)
    assert torch.equal(apply(pixels, again), found)
    assert torch.equal(apply(pixels, drawn_for(pixels, settings)), found)
    assert not torch.equal(apply(pixels, drawn_for(pixels, settings, seed=1)), found)


def test_other_seeds_draw_other_numbers_of_everything() -> None:
    pixels = pictures(12, 1, 8, 8)
    one, other = (drawn_for(pixels, EVERYTHING, seed).as_record() for seed in (0, 1))
    same = [name for name in one if one[name] == other[name]]
    assert same == ["noise_kind"]


@by_shape
def test_16_bits_round_the_values_alone(shape: tuple[int, ...]) -> None:
    pixels = pictures(*shape).bfloat16()
    drawn = drawn_for(pixels, EVERYTHING)
    expected = apply(pixels.float(), drawn)
    assert torch.equal(apply(pixels, drawn), expected.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(apply(pixels.float(), drawn), expected)


def test_a_record_of_another_kind_of_noise_is_refused() -> None:
    record = drawn_for(pictures(1, 1, 8, 8), VIEWS).as_record()
    with pytest.raises(ValueError, match="'pink'"):
        Draw.from_record({**record, "noise_kind": "pink"})


@by_shape
@by_settings
def test_values_stay_in_range_also_of_constant_scans(
    settings: AugmentSettings, shape: tuple[int, ...]
) -> None:
    for pixels in (pictures(*shape).round(), torch.zeros(shape), torch.ones(shape)):
        found = apply(pixels, drawn_for(pixels, settings))
        assert found.shape == pixels.shape
        assert found.dtype == pixels.dtype
        assert found.isfinite().all()
        assert found.min() >= 0
        assert found.max() <= 1


@by_shape
@by_settings
def test_the_others_of_a_batch_do_not_matter(
    settings: AugmentSettings, shape: tuple[int, ...]
) -> None:
    pixels = pictures(*shape)
    drawn = drawn_for(pixels, replace(settings, mixup=0.0, fourier=0.0, style=0.0))
    others = pixels.flip(0)
    others[5] = pixels[5]
    assert torch.equal(apply(others, drawn)[5], apply(pixels, drawn)[5])
    quiet = replace(drawn, noise=None)
    alone = Draw.from_record(
        {
            name: value[5:6] if isinstance(value, list) else value
            for name, value in quiet.as_record().items()
        }
    )
    torch.testing.assert_close(apply(pixels[5:6], alone), apply(pixels, quiet)[5:6])


@by_settings
def test_drawing_takes_as_many_numbers_whatever_is_asked_for(settings: AugmentSettings) -> None:
    states = []
    for asked in (settings, NOTHING):
        generator = seeded()
        torch_state = torch.get_rng_state()
        drawn = draw(6, asked, generator)
        apply(pictures(6, 1, 8, 8), drawn)
        assert torch.equal(torch.get_rng_state(), torch_state)
        states.append(generator.get_state())
    assert torch.equal(*states)


@by_settings
def test_gradients_reach_the_pixels(settings: AugmentSettings) -> None:
    inner = (0.3 + 0.4 * pictures(4, 1, 9, 9)).requires_grad_()
    for pixels in (inner, torch.zeros(4, 1, 9, 9, requires_grad=True)):
        apply(pixels, drawn_for(pixels, settings)).square().sum().backward()
        assert pixels.grad is not None
        assert pixels.grad.isfinite().all()
    assert inner.grad is not None
    assert inner.grad.flatten(1).any(dim=1).all()


@pytest.mark.parametrize("kind", get_args(NoiseKind))
def test_gradients_are_those_of_finite_differences(kind: NoiseKind) -> None:
    settings = replace(EVERYTHING, noise_kind=kind, noise=0.01, brightness=0.0, contrast=0.1)
    pixels = (0.35 + 0.3 * pictures(2, 1, 8, 8)).double().requires_grad_()
    drawn = drawn_for(pixels, replace(settings, sharpen=0.0))
    assert torch.autograd.gradcheck(lambda given: apply(given, drawn), (pixels,), fast_mode=True)


def test_a_cutout_is_a_box_no_larger_than_asked() -> None:
    drawn = draw(300, replace(NOTHING, cutout=0.5, sometimes=0.5), seeded())
    black = apply(torch.ones(300, 2, 20, 30), drawn) == 0
    assert torch.equal(black[:, 0], black[:, 1])
    rows, columns = black[:, 0].any(dim=2), black[:, 0].any(dim=1)
    assert torch.equal(black[:, 0], rows[:, :, None] & columns[:, None])
    assert 9 <= rows.sum(dim=1).max() <= 10
    assert 13 <= columns.sum(dim=1).max() <= 15
    assert rows.any(dim=1).float().mean().item() == pytest.approx(0.5, abs=0.1)


def test_a_mixture_is_of_a_scan_and_its_partner() -> None:
    pixels = pictures(400, 1, 4, 4)
    drawn = draw(400, replace(NOTHING, mixup=0.4), seeded())
    assert drawn.partner is not None
    assert drawn.share is not None
    assert sorted(drawn.partner.tolist()) == list(range(400))
    share = drawn.share.reshape(-1, 1, 1, 1)
    expected = share * pixels + (1 - share) * pixels[drawn.partner]
    torch.testing.assert_close(apply(pixels, drawn), expected)
    # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1))
    assert drawn.share.mean().item() == pytest.approx(0.5, abs=0.05)
    assert drawn.share.var().item() == pytest.approx(1 / 7.2, rel=0.1)


def test_the_presets_are_those_named_and_any_is_views() -> None:
    assert set(PRESETS) == set(get_args(PresetName))
    assert PRESETS["any"] == VIEWS
    assert set(get_args(ModalityChoice)) == {"auto", *PRESETS}


@pytest.mark.parametrize("name", get_args(PresetName))
def test_where_laterality_matters_nothing_is_flipped(name: PresetName) -> None:
    found = preset(name, laterality=True)
    assert found.flip == 0
    assert replace(found, flip=PRESETS[name].flip) == PRESETS[name] == preset(name)
    drawn = draw(200, found, seeded(), dims=3)
    assert (torch.linalg.det(drawn.theta[:, :, :3]) > 0).all()


NAMED = [
    (["CR"], "xray"),
    (["DX", "CR", "CT"], "xray"),
    (["MG"], "mammography"),
    (["CT"], "ct"),
    (["MR", "MR", ""], "mr"),
    (["US"], "ultrasound"),
    (["OP"], "any"),
    (["CT", "MR"], "any"),
    (["CT", "", ""], "any"),
    ([""], "any"),
    ([], "any"),
]


@pytest.mark.parametrize(("codes", "name"), NAMED)
def test_the_kind_of_most_scans_names_the_preset(codes: list[str], name: PresetName) -> None:
    assert preset_name(codes) == name


def test_mammograms_keep_their_side() -> None:
    assert preset("mammography").flip == 0


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_of_augmentation_run(name: str) -> None:
    found = doctest.testmod(import_module(f"latentdx.collection.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
