"""The adversarial autoencoder: who learns from which term, and where the latents end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.adversarial import AdversarialAutoencoder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings

Discs = Callable[..., NDArray[np.float32]]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**more: Any) -> AdversarialAutoencoder:
    torch.manual_seed(0)
    return AdversarialAutoencoder(**{"size": 16, "widths": (8, 16), "latent_dim": 4, **more})


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
        ("reconstruction", {"down", "to_latent", "from_latent", "up"}),
        ("adversarial", {"down", "to_latent"}),
        ("discriminator", {"discriminator"}),
    ],
)
def test_each_term_teaches_its_own_part(term: str, expected: set[str], discs: Discs) -> None:
    network = small().train()
    terms = network.losses(torch.from_numpy(discs(8)), seeded())
    assert learners(network, terms[term]) == expected


def test_the_encoder_is_pushed_to_where_the_discriminator_sees_the_prior(discs: Discs) -> None:
    network = small(adversarial_weight=1.0).eval()
    latent = network.encode(torch.from_numpy(discs(8))).detach().requires_grad_()
    network.game(latent, seeded())["adversarial"].backward()
    assert latent.grad is not None
    moved = latent.detach() - 0.1 * latent.grad / latent.grad.norm(dim=1, keepdim=True)
    with torch.no_grad():
        before, after = network.discriminator(latent), network.discriminator(moved)
    assert (after > before).all()


def test_a_network_is_judged_by_its_reconstruction(discs: Discs) -> None:
    pixels, network = torch.from_numpy(discs(8)), small().eval()
    with torch.no_grad():
        terms = network.losses(pixels, seeded())
        assert terms.keys() == {"reconstruction"}
        torch.testing.assert_close(
            terms["reconstruction"], (network(pixels) - pixels).pow(2).mean()
        )


def test_the_accuracy_is_of_latents_against_the_prior(discs: Discs) -> None:
    network, pixels = small().eval(), torch.from_numpy(discs(64))
    found = network.measures(pixels)
    assert found == network.measures(pixels)
    discriminator = network.discriminator
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
    for step in range(60):
        optimizer.zero_grad()
        network.game(network.encode(pixels).detach() + 3, seeded(step))["discriminator"].backward()
        optimizer.step()
    torch.nn.init.constant_(network.to_latent.dense.bias, 3.0)
    assert network.measures(pixels)["latent_discriminator_accuracy"] > 0.9


def distance_to_prior(latent: torch.Tensor) -> float:
    """Sliced Wasserstein-2 distance to N(0, I): quantiles of 64 projections."""
    axes = torch.randn(64, latent.shape[1], generator=seeded())
    shares = (torch.arange(len(latent)) + 0.5) / len(latent)
    expected = torch.distributions.Normal(0.0, 1.0).icdf(shares)
    axes = axes / axes.norm(dim=1, keepdim=True)
    found = (latent @ axes.T).sort(dim=0).values
    return (found - expected[:, None]).square().mean().sqrt().item()


def test_the_distance_is_small_for_the_prior_alone() -> None:
    assert distance_to_prior(torch.randn(500, 4, generator=seeded(1))) < 0.15
    assert distance_to_prior(0.3 * torch.randn(500, 4, generator=seeded(1))) > 0.5


@pytest.mark.slow
def test_the_game_brings_latents_to_the_prior(discs: Discs) -> None:
    pixels, scans = discs(400), torch.from_numpy(discs(400, seed=2))
    distances, errors = {}, {}
    for weight in (0.0, 0.05):
        network = small(adversarial_weight=weight, widths=(16, 32))
        network.fit_normalisation(torch.from_numpy(pixels))
        with torch.no_grad():
            begun = distance_to_prior(network.eval().encode(scans))
        settings = FitSettings(epochs=40, precision="fp32")
        pretrain(network, Pool(pixels, discs(64, seed=1)), settings, seed=0)
        with torch.no_grad():
            distances[weight] = distance_to_prior(network.encode(scans))
            errors[weight] = (network(scans) - scans).square().mean().item()
    assert distances[0.05] < 0.4
    assert distances[0.05] < 0.5 * begun
    assert distances[0.05] < 0.5 * distances[0.0]
    assert errors[0.05] < 0.01
