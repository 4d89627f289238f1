"""The network from scratch learns, repeats itself, and does not know left from right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentdx.diagnosis.scratch import learn_from_scratch, scores, without_flips
from latentdx.diagnosis.scratch_network import scratch_network
from latentdx.diagnosis.scratch_recipe import Recipe
from latentdx.features.table import flipped
from latentdx.metrics.discrimination import auroc

RECIPE = Recipe(
    widths=(8, 16), fewest_steps=60, most_steps=60, batch=16, rate=0.01, low_precision=False
)
Scans = tuple[np.ndarray, np.ndarray]


def noisy(shape: tuple[int, ...]) -> Scans:
    """60 scans of noise; that of class 1 is the stronger one, around the same mean."""
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3 // 2
    noise = generator.uniform(-0.2, 0.2, (60, *shape)) * (1 + labels.reshape(-1, *[1] * len(shape)))
    return (0.5 + noise).astype(np.float32), labels


def bright(shape: tuple[int, ...]) -> Scans:
    """60 scans of noise with a darker, an equal or a brighter middle: three classes."""
    labels = np.arange(60) % 4 % 3
    pixels = np.random.default_rng(0).uniform(0.2, 0.8, (60, *shape)).astype(np.float32)
    middle = tuple(slice(side // 4, side - side // 4) for side in shape[1:])
    pixels[:, :, *middle] += 0.2 * (labels.reshape(-1, *[1] * len(shape)) - 1)
    return pixels, labels


@pytest.fixture(scope="module")
def scans() -> Scans:
    return noisy((1, 20, 20))


def test_it_learns_and_repeats_itself(scans: Scans) -> None:
    pixels, labels = scans
    found = [scores(pixels[:40], labels[:40], pixels[40:], recipe=RECIPE, seed=3) for _ in "ab"]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].shape == (20, 2)
    assert auroc(labels[40:], found[0]) > 0.95
    other = scores(pixels[:40], labels[:40], pixels[40:], recipe=RECIPE, seed=4)
    assert not np.array_equal(found[0], other)


@pytest.mark.parametrize("shape", [(1, 16, 16, 16), (1, 16, 17, 9), (3, 16, 16)])
def test_volumes_and_colours(shape: tuple[int, ...]) -> None:
    pixels, labels = bright(shape)
    learned = learn_from_scratch(pixels[:40], labels[:40], n_classes=3, recipe=RECIPE, seed=3)
    found = learned.log_odds(pixels[40:])
    assert found.shape == (20, 3)
    assert auroc(labels[40:], found.astype(np.float64)) > 0.95


@pytest.mark.parametrize("dims", [2, 3])
def test_a_mirror_image_scores_alike_unless_the_run_says_otherwise(dims: int) -> None:
    pixels, labels = noisy((1, *[10] * dims))
    recipe = replace(RECIPE, fewest_steps=4, most_steps=4)
    both = np.concatenate([pixels[40:], flipped(pixels[40:])])
    found = scores(pixels[:40], labels[:40], both, recipe=recipe, seed=3)
    np.testing.assert_allclose(found[:20], found[20:], atol=1e-4)
    plain = scores(pixels[:40], labels[:40], both, recipe=without_flips(recipe), seed=3)
    assert np.abs(plain[:20] - plain[20:]).max() > 1e-3


def test_left_and_right_are_learned_where_nothing_is_mirrored() -> None:
    labels = np.arange(60) % 2
    pixels = np.random.default_rng(0).uniform(0, 0.5, (60, 1, 12, 12)).astype(np.float32)
    pixels[labels == 0, :, :, :3] += 0.4
    pixels[labels == 1, :, :, -3:] += 0.4
    told = {}
    for recipe in (RECIPE, without_flips(RECIPE)):
        found = scores(pixels[:40], labels[:40], pixels[40:], recipe=recipe, seed=0)
        told[recipe.augmentation.flip] = auroc(labels[40:], found)
    assert told[0.0] > 0.95
    assert told[0.5] < 0.8


def test_the_callers_generator_is_left_alone_and_progress_is_told(scans: Scans) -> None:
    pixels, labels = scans
    recipe, heard = replace(RECIPE, fewest_steps=3, most_steps=3), []
    before = torch.random.get_rng_state()
    learn_from_scratch(
        pixels, labels, n_classes=2, recipe=recipe, seed=0, tell=lambda *at: heard.append(at)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert heard == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("size", [8, 16, 31, 64])
@pytest.mark.parametrize("dims", [2, 3])
def test_pictures_of_any_size_go_through_and_every_weight_learns(size: int, dims: int) -> None:
    network = scratch_network(Recipe(dropout=0.0), dims=dims, channels=2, n_classes=3)
    sides = (size, 9, 8)[:dims]
    logits = network(torch.rand(4, 2, *sides, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (4, 3)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_steps_follow_the_epochs_within_their_bounds() -> None:
    recipe = Recipe(epochs=60, fewest_steps=300, most_steps=1500, batch=32)
    assert [recipe.steps(n) for n in (4, 320, 5000)] == [300, 600, 1500]
