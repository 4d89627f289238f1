"""Embeddings: their widths, and what they see of where something lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import build
from latentdx.autoencoder.pooling import mean_and_deviation
from latentdx.features.cells import cell_contrasts
from latentdx.features.extract import embed, reconstruct
from latentdx.features.pixels import flat_pixels, hog

Pixels = NDArray[np.float32]

every_member = pytest.mark.parametrize("name", ["invariant", "convolutional"])


def small(name: str, size: int = 16) -> Autoencoder:
    return build(name, {"channels": 1, "size": size, "widths": (8, 16)})


def noise(count: int, size: int = 16) -> Pixels:
    return np.random.default_rng(0).random((count, 1, size, size)).astype(np.float32)


@every_member
def test_pooled_is_mean_and_deviation_of_every_layer(name: str) -> None:
    network, pixels = small(name).eval(), noise(5)
    found = embed(network, pixels, "pooled")
    with torch.no_grad():
        maps = network.layers(torch.from_numpy(pixels))
    assert found.shape == (5, 2 * (8 + 16))
    assert found.dtype == np.float32
    expected = torch.cat([mean_and_deviation(layer) for layer in maps], dim=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@every_member
def test_grid_is_the_mean_of_every_layer_in_nine_cells(name: str) -> None:
    network, pixels = small(name, 24).eval(), noise(2, 24)
    found = embed(network, pixels, "grid")
    with torch.no_grad():
        maps = network.layers(torch.from_numpy(pixels))
    assert found.shape == (2, 9 * (8 + 16))
    side = maps[0].shape[2] // 3
    corner = maps[0][:, :, -side:, -side:].mean(dim=(2, 3))
    np.testing.assert_allclose(found[:, 8 : 9 * 8 : 9], corner, atol=1e-5)


@pytest.mark.parametrize(("name", "width"), [("convolutional", 32), ("invariant", 8 * 4 * 4)])
def test_latent_is_the_bottleneck(name: str, width: int) -> None:
    network, pixels = small(name).eval(), noise(3)
    found = embed(network, pixels, "latent")
    with torch.no_grad():
        expected = network.encode(torch.from_numpy(pixels)).flatten(1)
    assert found.shape == (3, width)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@every_member
@pytest.mark.parametrize("kind", ["pooled", "latent"])
def test_rows_follow_the_scans_over_batches(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, pixels = small(name), noise(11)
    whole, rebuilt = embed(network, pixels, kind), reconstruct(network, pixels)
    monkeypatch.setattr("latentdx.features.extract._MOST_SCANS", 4)
    np.testing.assert_allclose(embed(network, pixels, kind), whole, atol=1e-5)
    np.testing.assert_allclose(reconstruct(network, pixels), rebuilt, atol=1e-5)
    np.testing.assert_allclose(embed(network, pixels[::-1].copy(), kind)[::-1], whole, atol=1e-5)


@every_member
def test_embedding_does_not_change_the_network(name: str) -> None:
    network = small(name).train()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    embed(network, noise(8))
    reconstruct(network, noise(8))
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


@every_member
def test_pooled_features_do_not_see_where_a_pattern_lies_but_the_latent_does(name: str) -> None:
    network = small(name, size=32)
    pattern = np.random.default_rng(1).random((8, 8))
    pixels = np.zeros((3, 1, 32, 32), np.float32)
    pixels[0, 0, 8:16, 8:16] = pattern
    pixels[1, 0, 14:22, 12:20] = pattern
    pixels[2, 0, 8:16, 8:16] = pattern**4
    # of the first layer, which sees a few pixels at a time
    first = embed(network, pixels, "pooled")[:, :16]
    moved, other = np.abs(first[1:] - first[0]).max(axis=1)
    assert moved < 0.02 * other
    latent = embed(network, pixels, "latent")
    apart = np.linalg.norm(latent[0] - latent[1])
    assert apart > 0.05 * np.linalg.norm(latent[0] - embed(network, 0 * pixels, "latent")[0])


@every_member
def test_reconstructions_are_those_of_the_network(name: str) -> None:
    network, pixels = small(name).eval(), noise(3)
    with torch.no_grad():
        expected = network(torch.from_numpy(pixels))
    np.testing.assert_allclose(reconstruct(network, pixels), expected, atol=1e-5)


def test_flat_pixels_are_the_pixels() -> None:
    pixels = noise(3)
    np.testing.assert_array_equal(flat_pixels(pixels)[2], pixels[2].ravel())


def test_hog_tells_directions_and_not_brightness() -> None:
    bars = np.zeros((3, 1, 28, 28), np.float32)
    bars[0, :, ::4] = 1
    bars[1] = bars[0].swapaxes(1, 2)
    bars[2] = 0.5 * bars[0]
    found = hog(bars)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], found[2], atol=1e-3)
    assert np.abs(found[0] - found[1]).max() > 0.2


@every_member
def test_fine_grid_adds_contrasts_that_do_not_follow_the_strength_of_a_layer(name: str) -> None:
    network, pixels = small(name, 24).eval(), noise(2, 24)
    coarse, found = embed(network, pixels, "grid"), embed(network, pixels, "fine-grid")
    assert found.shape == (2, (9 + 25) * (8 + 16))
    np.testing.assert_allclose(found[:, : 9 * 24], coarse, atol=1e-6)
    with torch.no_grad():
        first = network.layers(torch.from_numpy(pixels))[0]
    contrasts = found[:, 9 * 24 : 9 * 24 + 25 * 8]
    np.testing.assert_allclose(contrasts, cell_contrasts(first), atol=1e-5)
    np.testing.assert_allclose(contrasts, cell_contrasts(7 * first), atol=2e-2)
    assert np.abs(contrasts).mean() > 0.02


def test_the_contrast_of_a_cell_is_its_share_of_its_neighbourhood() -> None:
    """By hand, for a corner cell: two channels, the mean over the four cells around."""
    maps = torch.rand(1, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    around = maps[:, :, :2, :2].square().sum(dim=1).mean().sqrt()
    expected = maps[0, :, 0, 0] / (around + 1e-3)
    torch.testing.assert_close(cell_contrasts(maps).reshape(2, 25)[:, 0], expected)
