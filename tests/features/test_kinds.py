"""The kinds of features: each of every network, and what the two richer ones are."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import BUILT_IN, build
from latentdx.cli.options import FEATURE_KINDS
from latentdx.features.extract import embed
from latentdx.features.kinds import KINDS, FeatureKind
from latentdx.features.second_order import _signs, covariance_root

Pixels = NDArray[np.float32]


def noise(count: int, *sides: int) -> Pixels:
    return np.random.default_rng(1).random((count, 1, *sides)).astype(np.float32)


def test_the_command_line_names_all_kinds() -> None:
    assert FEATURE_KINDS == get_args(FeatureKind) == tuple(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_every_network_has_every_kind(name: str, kind: FeatureKind) -> None:
    pixels = noise(3, 19, 16)
    network = build(name, {"channels": 1, "size": [19, 16]})
    found = embed(network, pixels, kind)
    assert found.ndim == 2
    assert len(found) == 3
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_allclose(embed(network, pixels[1:], kind), found[1:], atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > 0
    assert np.isfinite(embed(network, 0 * pixels, kind)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["invariant", "masked-vit"])
def test_volumes_have_every_kind(name: str, kind: FeatureKind) -> None:
    network = build(name, {"channels": 1, "size": [16, 18, 17]})
    found = embed(network, noise(2, 16, 18, 17), kind)
    assert found.shape[0] == 2
    assert np.isfinite(found).all()


def small() -> Autoencoder:
    return build("convolutional", {"channels": 1, "size": 32, "widths": (8, 16, 48)})


@pytest.mark.parametrize(("kind", "more"), [("multi-scale", 144), ("second-order", 136 + 528)])
def test_the_richer_kinds_begin_with_the_pooled_layers(kind: FeatureKind, more: int) -> None:
    network, pixels = small(), noise(4, 32, 32)
    found, pooled = embed(network, pixels, kind), embed(network, pixels, "pooled")
    assert found.shape[1] == pooled.shape[1] + more
    np.testing.assert_array_equal(found[:, : pooled.shape[1]], pooled)


def test_the_root_of_a_covariance_is_its_root() -> None:
    maps = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 12, 9, 8)).astype(np.float32))
    found = covariance_root(maps)
    rows, columns = np.triu_indices(12)
    for values, own in zip(found.numpy(), maps.flatten(2).numpy(), strict=True):
        expected = np.real(sqrtm(np.cov(own, bias=True)))
        np.testing.assert_allclose(values, expected[rows, columns], atol=0.01)


def test_the_root_does_not_depend_on_places_or_brightness() -> None:
    maps = torch.rand(2, 40, 6, 6, generator=torch.Generator().manual_seed(0))
    moved = torch.roll(maps, (2, 3), (2, 3)) + 5
    torch.testing.assert_close(covariance_root(moved), covariance_root(maps), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(
        covariance_root(3 * maps), 3 * covariance_root(maps), atol=1e-3, rtol=1e-3
    )


def test_channels_are_mixed_by_the_same_signs_for_ever() -> None:
    """A bundle holds none of them: on whatever machine it is loaded they have to be these."""
    signs = _signs(192) * np.sqrt(192)
    assert signs.shape == (32, 192)
    np.testing.assert_allclose(np.abs(signs), 1, atol=1e-6)
    first = "".join("+" if sign > 0 else "-" for sign in signs[0, :24])
    assert first == "+-++-+--+--+++-++--++---"
    assert abs(float(signs.mean())) < 0.03
    overlap = signs @ signs.T / 192
    assert np.abs(overlap - np.eye(32)).max() < 0.35
