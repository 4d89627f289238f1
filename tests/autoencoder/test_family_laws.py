"""The laws that every member of the family keeps, whatever its recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from inspect import signature
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
import torch
from family_cases import SHAPES, small
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import BUILT_IN, FAMILY, AutoencoderName, build, name_of
from latentdx.core.errors import StopError

Discs = Callable[..., NDArray[np.float32]]

every_member = pytest.mark.parametrize("name", BUILT_IN)
every_shape = pytest.mark.parametrize(("channels", "size"), SHAPES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_batch(discs: Discs, network: Autoencoder, count: int = 4) -> torch.Tensor:
    return torch.from_numpy(discs(count, size=network.size, channels=network.channels))


def warmed(network: Autoencoder, pixels: torch.Tensor) -> Autoencoder:
    """As after some training: normalisation and running statistics are not the initial ones."""
    network.fit_normalisation(pixels)
    network.train()
    with torch.no_grad():
        network.losses(pixels, seeded())
    return network.eval()


def test_the_names_are_those_of_the_type_and_the_classes_differ() -> None:
    assert set(FAMILY) == set(get_args(AutoencoderName))
    assert len(set(FAMILY.values())) == len(FAMILY)
    assert all(issubclass(kind, Autoencoder) for kind in FAMILY.values())


@every_member
@every_shape
def test_a_reconstruction_has_the_shape_and_range_of_its_scan(
    name: str, channels: int, size: tuple[int, ...], discs: Discs
) -> None:
    network = small(name, channels=channels, size=size)
    pixels = a_batch(discs, network)
    with torch.no_grad():
        rebuilt = warmed(network, pixels)(pixels)
        again = network.decode(network.encode(pixels))
    assert rebuilt.shape == pixels.shape
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1
    assert rebuilt.std() > 0
    assert torch.equal(rebuilt, again)


@every_member
@every_shape
def test_layers_are_maps_that_do_not_grow(
    name: str, channels: int, size: tuple[int, ...], discs: Discs
) -> None:
    network = small(name, channels=channels, size=size)
    pixels = a_batch(discs, network)
    with torch.no_grad():
        maps = network.eval().layers(pixels)
    assert len(maps) > 1
    assert all(len(found) == len(pixels) and found.ndim == pixels.ndim for found in maps)
    for a, b in pairwise(maps):
        assert a.shape[1] <= b.shape[1]
        assert all(i >= o for i, o in zip(a.shape[2:], b.shape[2:], strict=True))
        assert a.shape[2:] != b.shape[2:] or a.shape == b.shape  # a transformer keeps both


@every_member
@every_shape
def test_every_parameter_gets_a_finite_gradient(
    name: str, channels: int, size: tuple[int, ...], discs: Discs
) -> None:
    network = small(name, channels=channels, size=size)
    pixels = a_batch(discs, network, 8)
    network.fit_normalisation(pixels)
    terms = network.train().losses(pixels, seeded())
    assert all(term.ndim == 0 for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
    assert [key for key, gradient in gradients.items() if gradient is None] == []
    assert [key for key, g in gradients.items() if g is not None and not g.isfinite().all()] == []
    weights = {key: g for key, g in gradients.items() if key.endswith("weight")}
    assert [key for key, g in weights.items() if g is not None and not g.any()] == []


@every_member
@pytest.mark.parametrize("size", [28, (29, 31), (13, 14, 15)], ids=str)
def test_in_use_a_network_is_deterministic_and_batch_mates_do_not_matter(
    name: str, size: Any, discs: Discs
) -> None:
    network = small(name, size=size)
    pixels = a_batch(discs, network)
    warmed(network, pixels)
    with torch.no_grad():
        latent, rebuilt = network.encode(pixels), network(pixels)
        assert torch.equal(latent, network.encode(pixels))
        assert torch.equal(rebuilt, network(pixels))
        alone = torch.cat([network.encode(one) for one in pixels.split(1)])
        rebuilt_alone = torch.cat([network(one) for one in pixels.split(1)])
    torch.testing.assert_close(alone, latent, atol=1e-5, rtol=0)
    torch.testing.assert_close(rebuilt_alone, rebuilt, atol=1e-5, rtol=0)


@every_member
def test_the_loss_depends_on_nothing_but_weights_pixels_and_generator(
    name: str, discs: Discs
) -> None:
    network = small(name).eval()
    pixels = a_batch(discs, network, 8)
    state = torch.get_rng_state()
    with torch.no_grad():
        first, second = (network.losses(pixels, seeded(3)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_member
@pytest.mark.parametrize("size", [(16, 16), (12, 12, 12)], ids=str)
def test_the_loss_falls_in_a_few_epochs(name: str, size: tuple[int, ...], discs: Discs) -> None:
    network = small(name, size=size)
    pixels = discs(96, size=size)
    settings = FitSettings(epochs=10, learning_rate=5e-4)
    network.fit_normalisation(torch.from_numpy(pixels))
    history = pretrain(network, Pool(pixels, discs(16, size=size, seed=1)), settings, seed=0)
    assert history[-1].loss < 0.85 * history[0].loss
    assert history[-1].tune_loss < history[0].tune_loss


@every_member
@pytest.mark.parametrize("size", [(16, 16), (12, 12, 12)], ids=str)
def test_bfloat16_is_close_to_32_bits(name: str, size: tuple[int, ...], discs: Discs) -> None:
    network = small(name, size=size)
    pixels = a_batch(discs, network, 8)
    warmed(network, pixels)
    with torch.no_grad():
        exact = network(pixels)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = network(pixels)
    assert (exact - rounded).abs().mean() < 0.02


@every_member
@pytest.mark.parametrize("size", [16, (29, 31), (13, 14, 15)], ids=str)
def test_settings_and_weights_make_an_equal_network(name: str, size: Any, discs: Discs) -> None:
    network = small(name, channels=3, size=size)
    pixels = a_batch(discs, network)
    warmed(network, pixels)
    told = json.loads(json.dumps(network.settings()))
    other = build(name, told, seed=9)
    other.load_state_dict(network.state_dict())
    assert other.settings() == network.settings()
    assert name_of(other) == name
    with torch.no_grad():
        assert torch.equal(other.eval()(pixels), network(pixels))


@every_member
def test_settings_tell_every_argument_of_the_class(name: str) -> None:
    network = small(name)
    assert network.settings().keys() == signature(FAMILY[name]).parameters.keys()


@every_member
def test_weights_are_drawn_from_the_seed_alone(name: str) -> None:
    settings = {"channels": 1, "size": 16}
    torch.manual_seed(5)
    first = build(name, settings, seed=1).state_dict()
    torch.manual_seed(6)
    state = torch.get_rng_state()
    second = build(name, settings, seed=1).state_dict()
    other = build(name, settings, seed=2).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], second[key]) for key in first)
    drawn = [key for key in first if key.endswith("weight") and first[key].ndim > 1]
    assert drawn
    assert not any(torch.equal(first[key], other[key]) for key in drawn)


@every_member
def test_normalisation_is_by_channel_and_travels_with_the_weights(name: str, discs: Discs) -> None:
    network = small(name, channels=3)
    pixels = a_batch(discs, network, 8)
    network.fit_normalisation(pixels)
    normal = network.normalise(pixels)
    torch.testing.assert_close(normal.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)
    assert {"mean", "std"} <= network.state_dict().keys()
    network.fit_normalisation(torch.full_like(pixels, 0.5))
    assert network.normalise(pixels).isfinite().all()


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StopError, match="invariant, convolutional") as caught:
        build("transformer", {"channels": 1, "size": 16})
    assert caught.value.code == "E_NAME"


def test_an_odd_size_is_seen_as_if_its_border_were_repeated(discs: Discs) -> None:
    odd = build("invariant", {"channels": 1, "size": 15}).eval()
    even = build("invariant", {"channels": 1, "size": 16}).eval()
    even.load_state_dict(odd.state_dict())
    pixels = torch.from_numpy(discs(3, size=15)) + 0.2
    repeated = torch.cat([pixels, pixels[..., -1:]], dim=3)
    repeated = torch.cat([repeated, repeated[..., -1:, :]], dim=2)
    with torch.no_grad():
        torch.testing.assert_close(odd.encode(pixels), even.encode(repeated))
        torch.testing.assert_close(odd(pixels), even(repeated)[..., :15, :15])
