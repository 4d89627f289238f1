"""The rival of the label curves learns, repeats itself, and does not know left from right."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.peers.torch_resnet import Recipe, scores

from latentdx.metrics.discrimination import auroc

RECIPE = Recipe(
    widths=(8, 16), fewest_steps=60, most_steps=60, batch=16, rate=0.01, low_precision=False
)


@pytest.fixture(scope="module")
def scans() -> tuple[np.ndarray, np.ndarray]:
    """Noise; that of class 1 is the stronger one, around the same mean."""
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3 // 2
    noise = generator.uniform(-0.2, 0.2, (60, 1, 20, 20)) * (1 + labels[:, None, None, None])
    return (0.5 + noise).astype(np.float32), labels


def test_it_learns_and_repeats_itself(scans):
    pixels, labels = scans
    found = [scores(pixels[:40], labels[:40], pixels[40:], recipe=RECIPE, seed=3) for _ in "ab"]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].shape == (20, 2)
    assert auroc(labels[40:], found[0]) > 0.95


def test_a_mirror_image_scores_alike(scans):
    pixels, labels = scans
    both = np.concatenate([pixels[40:], pixels[40:, :, :, ::-1]])
    found = scores(pixels[:40], labels[:40], both, recipe=RECIPE, seed=3)
    np.testing.assert_allclose(found[:20], found[20:], atol=1e-4)


def test_steps_follow_the_epochs_within_their_bounds():
    recipe = Recipe(epochs=60, fewest_steps=300, most_steps=1500, batch=32)
    assert [recipe.steps(n) for n in (4, 320, 5000)] == [300, 600, 1500]
