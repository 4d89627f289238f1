"""The variational autoencoder: its KL term, free bits and schedules by hand, and its samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.distributions import Normal, kl_divergence

from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.gaussian import (
    Posterior,
    active_units,
    posterior,
    total_divergence,
    warm_up,
)
from latentdx.autoencoder.variational import VariationalAutoencoder

Discs = Callable[..., NDArray[np.float32]]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**more: Any) -> VariationalAutoencoder:
    torch.manual_seed(0)
    return VariationalAutoencoder(**{"size": 16, "widths": (8, 16), "latent_dim": 6, **more})


def a_posterior() -> Posterior:
    return Posterior(*torch.randn(2, 5, 4, generator=seeded()))


def test_the_divergence_is_that_of_torch() -> None:
    found = a_posterior()
    known = kl_divergence(Normal(found.mean, (found.log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(found.divergence(), known)
    torch.testing.assert_close(total_divergence(found.divergence()), known.sum(dim=1).mean())


def test_draws_have_the_mean_and_the_variance_and_gradients_to_both() -> None:
    mean = torch.full((20_000, 1), 3.0, requires_grad=True)
    log_variance = torch.full((20_000, 1), math.log(4.0), requires_grad=True)
    drawn = Posterior(mean, log_variance).draw(seeded())
    assert drawn.mean().item() == pytest.approx(3, abs=0.05)
    assert drawn.std().item() == pytest.approx(2, abs=0.05)
    drawn.square().sum().backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert log_variance.grad.any()


def test_an_extreme_encoder_makes_no_infinity() -> None:
    assert posterior(torch.tensor([[1.0, 1e9]])).divergence().isfinite().all()


def test_a_unit_below_the_floor_counts_as_the_floor_and_is_not_pressed() -> None:
    divergence = torch.tensor([[0.1, 2.0], [0.3, 4.0]], requires_grad=True)
    found = total_divergence(divergence, free_nats=0.5)
    assert found.item() == pytest.approx(0.5 + 3.0)
    found.backward()
    assert divergence.grad is not None
    assert divergence.grad.tolist() == [[0.0, 0.5], [0.0, 0.5]]


@pytest.mark.parametrize(
    ("progress", "linear", "cyclical"),
    [(0, 0, 0), (0.125, 0.25, 0.5), (0.25, 0.5, 1), (0.4, 0.8, 1), (0.5, 1, 0), (0.625, 1, 0.5)],
)
def test_the_weight_of_the_kl_term_rises_once_or_in_cycles(
    progress: float, linear: float, cyclical: float
) -> None:
    assert warm_up(progress, 0.5) == pytest.approx(linear)
    assert warm_up(progress, 0.5, cycles=2) == pytest.approx(cyclical)


@pytest.mark.parametrize("cycles", [1, 2, 4])
def test_the_training_ends_with_the_full_weight(cycles: int) -> None:
    assert warm_up(1.0, 0.5, cycles=cycles) == 1
    assert warm_up(0.999, 0.5, cycles=cycles) == 1
    assert warm_up(0.0, 0.0, cycles=cycles) == 1  # no schedule


def test_the_schedule_is_of_training_and_the_judge_sees_the_full_weight() -> None:
    network = small(warm_up=0.5).train()
    full = network.kl_weight()
    network.progress = 0.125
    assert network.kl_weight() == pytest.approx(full / 4)
    network.eval()
    assert network.kl_weight() == full


@pytest.mark.parametrize("reconstruction", ["mse", "bce"])
def test_the_loss_is_the_evidence_lower_bound_on_one_scale(
    reconstruction: str, discs: Discs
) -> None:
    """By torch.distributions, with the same noise."""
    network = small(reconstruction=reconstruction, noise=0.2, channels=2).eval()
    torch.nn.init.constant_(network.to_posterior.dense.bias, 2.0)  # a divergence that counts
    pixels = torch.from_numpy(discs(5, channels=2))
    with torch.no_grad():
        terms = network.losses(pixels, seeded(3))
        found = network.posterior(pixels)
        rebuilt = network.decode(found.draw(seeded(3)))
        prior = Normal(torch.zeros_like(found.mean), 1.0)
        scale = (found.log_variance / 2).exp()
        divergence = kl_divergence(Normal(found.mean, scale), prior).sum(dim=1)
        if reconstruction == "mse":
            likelihood = Normal(rebuilt, 0.2).log_prob(pixels) - Normal(0.0, 0.2).log_prob(
                torch.zeros(1)
            )
        else:
            likelihood = pixels * rebuilt.log() + (1 - pixels) * (1 - rebuilt).log()
        bound = likelihood.flatten(1).sum(dim=1) - divergence
    factor = 2 * 0.2**2 if reconstruction == "mse" else 1.0
    expected = -factor * bound.mean() / pixels[0].numel()
    torch.testing.assert_close(terms["reconstruction"] + terms["kl"], expected)


def test_beta_weighs_the_kl_term_alone(discs: Discs) -> None:
    pixels = torch.from_numpy(discs(5))
    once, thrice = small().eval(), small(beta=3.0).eval()
    with torch.no_grad():
        first, second = (network.losses(pixels, seeded()) for network in (once, thrice))
    torch.testing.assert_close(second["kl"], 3 * first["kl"])
    assert torch.equal(first["reconstruction"], second["reconstruction"])


def test_the_latent_is_the_mean_and_the_loss_sees_a_draw(discs: Discs) -> None:
    network, pixels = small().eval(), torch.from_numpy(discs(5))
    with torch.no_grad():
        assert torch.equal(network.encode(pixels), network.posterior(pixels).mean)
        first, second = (network.losses(pixels, seeded(seed)) for seed in (0, 1))
    assert first["reconstruction"] != second["reconstruction"]
    assert first["kl"] == second["kl"]


def test_active_units_are_those_whose_mean_varies() -> None:
    means = torch.randn(100, 4, generator=seeded()) * torch.tensor([1.0, 0.2, 0.05, 0.0])
    assert active_units(means) == 0.5


def test_measures_tell_units_and_nats(discs: Discs) -> None:
    network, pixels = small().eval(), torch.from_numpy(discs(9))
    with torch.no_grad():
        network.to_posterior.dense.weight.mul_(1000)
    found = network.measures(pixels)
    assert found["kl"] == pytest.approx(
        network.posterior(pixels).divergence().sum(dim=1).mean().item()
    )
    torch.nn.init.zeros_(network.to_posterior.dense.weight)
    collapsed = network.measures(pixels)
    assert collapsed["active_units"] == 0
    assert found["active_units"] == 1


@pytest.mark.slow
def test_a_large_beta_collapses_the_posterior_and_free_bits_prevent_it(discs: Discs) -> None:
    pixels = discs(96)
    kept = {}
    for free_nats in (0.0, 1.0):
        network = small(beta=300.0, free_nats=free_nats, warm_up=0.0)
        settings = FitSettings(epochs=12, precision="fp32")
        pretrain(network, Pool(pixels, discs(16, seed=1)), settings, seed=0)
        kept[free_nats] = network.measures(torch.from_numpy(pixels))["kl"]
    assert kept[0.0] < 0.5
    assert kept[1.0] > 3


@pytest.mark.slow
def test_after_training_samples_vary_and_resemble_scans(discs: Discs) -> None:
    network = small(latent_dim=4)
    fresh = network.eval().sample(64, seeded())
    network.fit_normalisation(torch.from_numpy(discs(128)))
    settings = FitSettings(epochs=25, precision="fp32")
    pretrain(network, Pool(discs(128), discs(16, seed=1)), settings, seed=0)
    with torch.no_grad():
        samples = network.sample(64, seeded())
    scans = torch.from_numpy(discs(64, seed=5))
    varied = scans.std(dim=0).mean()
    assert samples.std(dim=0).mean() > 0.5 * varied
    assert fresh.std(dim=0).mean() < 0.3 * varied
    away = [(drawn.mean(dim=0) - scans.mean(dim=0)).abs().mean() for drawn in (fresh, samples)]
    assert away[1] < 0.3 * away[0]
