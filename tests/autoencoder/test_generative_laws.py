"""The laws of every member from which scans can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from family_cases import SHAPES, small
from numpy.typing import NDArray

from latentdx.autoencoder.base import GenerativeAutoencoder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import FAMILY

Discs = Callable[..., NDArray[np.float32]]

GENERATIVE = [name for name, kind in FAMILY.items() if issubclass(kind, GenerativeAutoencoder)]

every_generative_member = pytest.mark.parametrize("name", GENERATIVE)
images_and_volumes = pytest.mark.parametrize("size", [(16, 16), (11, 9, 12)], ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def warmed(name: str, discs: Discs, **settings: Any) -> GenerativeAutoencoder:
    """As after some training, in evaluation mode."""
    network = small(name, **settings)
    assert isinstance(network, GenerativeAutoencoder)
    pixels = torch.from_numpy(discs(8, size=network.size, channels=network.channels))
    network.fit_normalisation(pixels)
    with torch.no_grad():
        network.train().losses(pixels, seeded())
    return network.eval()


def test_some_members_are_generative() -> None:
    assert {"variational", "adversarial", "vae-gan"} <= set(GENERATIVE)


@every_generative_member
@pytest.mark.parametrize(("channels", "size"), SHAPES, ids=str)
def test_samples_have_the_shape_and_range_of_scans(
    name: str, channels: int, size: tuple[int, ...], discs: Discs
) -> None:
    network = warmed(name, discs, channels=channels, size=size)
    with torch.no_grad():
        samples = network.sample(3, seeded())
    assert samples.shape == (3, channels, *size)
    assert samples.dtype == torch.float32
    assert samples.isfinite().all()
    assert samples.min() >= 0
    assert samples.max() <= 1


@every_generative_member
@images_and_volumes
def test_samples_depend_on_the_generator_alone(
    name: str, size: tuple[int, ...], discs: Discs
) -> None:
    network = warmed(name, discs, size=size)
    weights = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    with torch.no_grad():
        first, again, other = (network.sample(4, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weights[key], held) for key, held in network.state_dict().items())


@every_generative_member
@images_and_volumes
@pytest.mark.parametrize("steps", [2, 5])
def test_an_interpolation_begins_and_ends_with_the_reconstructions(
    name: str, size: tuple[int, ...], steps: int, discs: Discs
) -> None:
    network = warmed(name, discs, size=size)
    first, second = torch.from_numpy(discs(2, size=size, seed=7)).split(1)
    with torch.no_grad():
        path = network.interpolate(first, second, steps)
        ends = torch.cat([network(first), network(second)])
    assert path.shape == (steps, 1, *size)
    assert path.min() >= 0
    assert path.max() <= 1
    torch.testing.assert_close(path[[0, -1]], ends, atol=1e-5, rtol=0)


@every_generative_member
@images_and_volumes
def test_measures_are_numbers_and_do_not_touch_the_network(
    name: str, size: tuple[int, ...], discs: Discs
) -> None:
    network = warmed(name, discs, size=size)
    pixels = torch.from_numpy(discs(8, size=size))
    weights = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    found = network.measures(pixels)
    assert found
    assert all(np.isfinite(number) for number in found.values())
    assert found == network.measures(pixels)
    assert all(torch.equal(weights[key], held) for key, held in network.state_dict().items())


@every_generative_member
@pytest.mark.slow
def test_a_short_training_makes_samples_more_like_scans(name: str, discs: Discs) -> None:
    """Their mean scan and their spread come closer to those of the scans learnt from."""
    pixels = discs(256)
    scans = torch.from_numpy(pixels)

    def strangeness(network: GenerativeAutoencoder) -> float:
        with torch.no_grad():
            samples = network.sample(128, seeded())
        mean = (samples.mean(dim=0) - scans.mean(dim=0)).abs().mean()
        return float(mean + (samples.std(dim=0) - scans.std(dim=0)).abs().mean())

    network = warmed(name, discs)
    begun = strangeness(network)
    settings = FitSettings(epochs=25, precision="fp32")
    pretrain(network, Pool(pixels, discs(16, seed=1)), settings, seed=0)
    assert strangeness(network) < 0.7 * begun
