"""VAE-GAN: who learns from which term, the late game, and features that tell scans apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.vae_gan import VaeGanAutoencoder
from latentdx.autoencoder.variational import VariationalAutoencoder

Discs = Callable[..., NDArray[np.float32]]

AUTOENCODER = {"down", "to_posterior", "from_latent", "up"}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**more: Any) -> VaeGanAutoencoder:
    torch.manual_seed(0)
    return VaeGanAutoencoder(**{"size": 16, "widths": (8, 16), "latent_dim": 6, **more})


def learners(network: torch.nn.Module, term: torch.Tensor) -> set[str]:
    """The parts of the network that get a gradient from a term."""
    network.zero_grad(set_to_none=True)
    term.backward()
    return {
        name.split(".")[0]
        for name, weight in network.named_parameters()
        if weight.grad is not None and weight.grad.any()
    }


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("reconstruction", AUTOENCODER),
        ("kl", {"down", "to_posterior"}),
        ("features", AUTOENCODER),
        ("adversarial", {"from_latent", "up"}),
        ("discriminator", {"discriminator"}),
    ],
)
@pytest.mark.parametrize("size", [(16, 16), (9, 10, 11)], ids=str)
def test_each_term_teaches_its_own_part(
    term: str, expected: set[str], size: tuple[int, ...], discs: Discs
) -> None:
    network = small(size=size).train()
    terms = network.losses(torch.from_numpy(discs(8, size=size)), seeded())
    assert learners(network, terms[term]) == expected


@pytest.mark.parametrize(
    ("progress", "grown"), [(0.0, 0.0), (0.3, 0.0), (0.4, 0.5), (0.5, 1.0), (1.0, 1.0)]
)
def test_the_decoder_begins_to_play_late(progress: float, grown: float, discs: Discs) -> None:
    network, pixels = small().train(), torch.from_numpy(discs(8))
    first = {key: term.item() for key, term in network.losses(pixels, seeded()).items()}
    network = small().train()
    network.progress = progress
    terms = {key: term.item() for key, term in network.losses(pixels, seeded()).items()}
    assert terms.pop("adversarial") == pytest.approx(grown * first.pop("adversarial"))
    assert terms == first  # the others are the same from the first step


def test_the_features_of_equal_scans_are_equal(discs: Discs) -> None:
    network, pixels = small().train(), torch.from_numpy(discs(8))
    with torch.no_grad():
        same = network.game(pixels, pixels, pixels)["features"]
        blurred = torch.nn.functional.avg_pool2d(pixels, 3, stride=1, padding=1)
        other = network.game(pixels, blurred, pixels)["features"]
    assert same < 1e-6
    assert other > 1e-4


def test_a_network_is_judged_as_a_variational_one(discs: Discs) -> None:
    pixels, network = torch.from_numpy(discs(8)), small(noise=0.2, beta=2.0).eval()
    plain = VariationalAutoencoder(size=16, widths=(8, 16), latent_dim=6, noise=0.2, beta=2.0)
    plain.load_state_dict(network.state_dict(), strict=False)
    with torch.no_grad():
        terms = network.losses(pixels, seeded())
        expected = plain.eval().losses(pixels, seeded())
    assert terms.keys() == {"reconstruction", "kl"}
    torch.testing.assert_close(terms, expected)


def test_measures_tell_units_nats_and_whether_reconstructions_are_found_out(discs: Discs) -> None:
    network, pixels = small().eval(), torch.from_numpy(discs(64))
    names = {"active_units", "kl", "pixel_discriminator_accuracy"}
    assert network.measures(pixels).keys() == names
    optimizer = torch.optim.Adam(network.discriminator.parameters(), lr=1e-2)
    with torch.no_grad():
        rebuilt = network(pixels)
    for _ in range(30):
        optimizer.zero_grad()
        network.game(pixels, rebuilt, rebuilt)["discriminator"].backward()
        optimizer.step()
    assert network.measures(pixels)["pixel_discriminator_accuracy"] > 0.9


@pytest.mark.slow
def test_the_game_does_not_spoil_the_reconstruction_and_samples_vary(discs: Discs) -> None:
    pixels, scans = discs(400), torch.from_numpy(discs(200, seed=2))
    errors = {}
    for weight in (0.0, 0.002):
        network = small(adversarial_weight=weight, widths=(16, 32), latent_dim=4)
        network.fit_normalisation(torch.from_numpy(pixels))
        settings = FitSettings(epochs=30, precision="fp32")
        pretrain(network, Pool(pixels, discs(64, seed=1)), settings, seed=0)
        with torch.no_grad():
            errors[weight] = (network(scans) - scans).square().mean().item()
            samples = network.sample(100, seeded())
    assert errors[0.002] < 1.5 * errors[0.0]
    assert errors[0.002] < 0.015
    assert samples.std(dim=0).mean() > 0.5 * scans.std(dim=0).mean()
