"""Sparsity by hand: the divergence, the norm, the largest; and that training makes it so."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.sparse import (
    SparseAutoencoder,
    activity_divergence,
    largest,
    relative_l1,
)
from latentdx.core.errors import StopError

Discs = Callable[..., NDArray[np.float32]]


def small(**settings: Any) -> SparseAutoencoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SparseAutoencoder(**{"size": 16, "widths": (8, 16), "latent_dim": 40, **settings})


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_divergence_is_its_formula_over_the_batch_means() -> None:
    latent = torch.tensor([[0.1, 0.6], [0.3, 0.8], [0.2, 0.7]])  # means 0.2 and 0.7
    expected = [
        0.1 * math.log(0.1 / mean) + 0.9 * math.log(0.9 / (1 - mean)) for mean in (0.2, 0.7)
    ]
    assert float(activity_divergence(latent, 0.1)) == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_the_divergence_is_0_at_the_target_and_finite_at_the_ends() -> None:
    at_target = torch.tensor([[0.0, 0.1], [0.2, 0.1]])
    assert float(activity_divergence(at_target, 0.1)) == pytest.approx(0, abs=1e-6)
    ends = torch.tensor([[0.0, 1.0], [0.0, 1.0]], requires_grad=True)
    found = activity_divergence(ends, 0.1)
    found.backward()
    assert found.isfinite()
    assert ends.grad is not None
    assert ends.grad.isfinite().all()


def test_the_relative_norm_is_1_for_equal_units_and_least_for_one_alone() -> None:
    equal, alone = torch.full((3, 16), 0.3), 5 * torch.eye(16)[:3]
    assert float(relative_l1(equal)) == pytest.approx(1)
    assert float(relative_l1(alone)) == pytest.approx(1 / 4)
    latent = torch.rand(3, 16, generator=seeded())
    torch.testing.assert_close(relative_l1(latent), relative_l1(0.01 * latent))
    silent = torch.zeros(3, 16, requires_grad=True)
    relative_l1(silent).backward()
    assert silent.grad is not None
    assert silent.grad.isfinite().all()


def test_the_largest_stay_as_they_are() -> None:
    activations = torch.tensor([[0.5, -1.0, 2.0, 0.1], [-3.0, -1.0, -2.0, -4.0]])
    expected = torch.tensor([[0.5, 0.0, 2.0, 0.0], [0.0, -1.0, -2.0, 0.0]])
    assert torch.equal(largest(activations, 2), expected)


def test_k_falls_while_it_trains_and_is_small_in_use() -> None:
    network = small(sparsity="top-k", activity=0.1)
    shares = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        network.progress = progress
        shares.append(network.train().kept())
        assert network.eval().kept() == 4
    assert shares == [40, 22, 4, 4]
    assert small(sparsity="top-k", activity=0.001).eval().kept() == 1


@pytest.mark.parametrize(
    ("sparsity", "terms"),
    [
        ("kl", {"reconstruction", "sparsity"}),
        ("l1", {"reconstruction", "sparsity"}),
        ("top-k", {"reconstruction"}),
    ],
)
def test_each_kind_has_its_range_and_terms(sparsity: Any, terms: set[str], discs: Discs) -> None:
    network, pixels = small(sparsity=sparsity), torch.from_numpy(discs(8))
    latent = network.eval().encode(pixels)
    assert network.losses(pixels, seeded()).keys() == terms
    if sparsity == "kl":
        assert latent.min() > 0
        assert latent.max() < 1
        expected = latent.mean().item()
    else:
        expected = float((latent != 0).float().mean())
    if sparsity == "l1":
        assert latent.min() == 0
    if sparsity == "top-k":
        assert ((latent != 0).sum(dim=1) == 4).all()
    assert network.measures(pixels)["activity"] == pytest.approx(expected)


@pytest.mark.parametrize("sparsity", ["kl", "l1"])
def test_the_weight_multiplies_the_penalty_alone(sparsity: Any, discs: Discs) -> None:
    pixels = torch.from_numpy(discs(8))
    light, heavy = (small(sparsity=sparsity, sparsity_weight=weight) for weight in (1.0, 3.0))
    first, second = (network.eval().losses(pixels, seeded()) for network in (light, heavy))
    torch.testing.assert_close(second["sparsity"], 3 * first["sparsity"])
    torch.testing.assert_close(second["reconstruction"], first["reconstruction"])
    latent = light.encode(pixels)
    expected = activity_divergence(latent, 0.1) if sparsity == "kl" else relative_l1(latent)
    torch.testing.assert_close(first["sparsity"], expected)


@pytest.mark.parametrize("activity", [0.1, 0.3])
def test_training_brings_the_activity_to_its_target(activity: float, discs: Discs) -> None:
    network, pixels = small(activity=activity, sparsity_weight=1.0), torch.from_numpy(discs(32))
    network.fit_normalisation(pixels)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    assert network.train().encode(pixels).mean().item() > 0.4
    for _ in range(40):
        optimizer.zero_grad()
        torch.stack(list(network.losses(pixels, seeded()).values())).sum().backward()
        optimizer.step()
    means = network.encode(pixels).mean(dim=0)
    assert means.mean().item() == pytest.approx(activity, abs=0.03)


def test_an_unknown_sparsity_is_refused() -> None:
    with pytest.raises(StopError, match="kl, l1, top-k") as caught:
        SparseAutoencoder(sparsity="l0")  # type: ignore[arg-type]
    assert caught.value.code == "E_NAME"
