"""The vector-quantised member: rounding, its codebook in and out of training, its prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from family_cases import small
from numpy.typing import NDArray

from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.quantiser import usage
from latentdx.autoencoder.vector_quantised import VectorQuantisedAutoencoder

Discs = Callable[..., NDArray[np.float32]]

every_size = pytest.mark.parametrize("size", [(17, 14), (12, 13, 9)], ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def member(size: Any = 16, **more: Any) -> VectorQuantisedAutoencoder:
    found = small("vector-quantised", size=size, **more)
    assert isinstance(found, VectorQuantisedAutoencoder)
    return found


def gradients(network: torch.nn.Module, term: torch.Tensor) -> set[str]:
    """The parts of the network that a term of the loss moves."""
    network.zero_grad()
    term.backward(retain_graph=True)
    moved = {
        name.split(".")[0]
        for name, parameter in network.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }
    network.zero_grad()
    return moved


@every_size
def test_a_reconstruction_is_made_of_codes_alone(size: tuple[int, ...], discs: Discs) -> None:
    network = member(size)
    pixels = torch.from_numpy(discs(6, size=size))
    with torch.no_grad():
        network.train().losses(pixels, seeded())
        latent = network.eval().encode(pixels)
        codes = network.quantiser.nearest(latent)
        of_codes = network.quantiser.lookup(codes)
        assert codes.shape == (6, *network.down.sizes[-1])
        assert not torch.allclose(latent, of_codes)
        assert torch.equal(network.decode(latent), network.decode(of_codes))
        assert torch.equal(network(pixels), network.decode(of_codes))


def test_each_term_of_the_loss_moves_its_own_parts(discs: Discs) -> None:
    network = member().train()
    terms = network.losses(torch.from_numpy(discs(8)), seeded())
    assert gradients(network, terms["reconstruction"]) == {
        *("down", "to_latent", "from_latent", "up")
    }
    assert gradients(network, terms["commitment"]) == {"down", "to_latent"}
    assert gradients(network, terms["prior"]) == {"prior"}


def test_the_terms_are_weighted(discs: Discs) -> None:
    pixels = torch.from_numpy(discs(8))
    plain = member(commitment_weight=1.0, prior_weight=1.0).eval()
    scaled = member(commitment_weight=0.5, prior_weight=0.1).eval()
    with torch.no_grad():
        first, second = (network.losses(pixels, seeded()) for network in (plain, scaled))
        latent = plain.encode(pixels)
    rounded = plain.quantiser.lookup(plain.quantiser.nearest(latent))
    torch.testing.assert_close(first["commitment"], (latent - rounded).square().mean())
    torch.testing.assert_close(first["reconstruction"], second["reconstruction"])
    torch.testing.assert_close(0.5 * first["commitment"], second["commitment"])
    torch.testing.assert_close(0.1 * first["prior"], second["prior"])


def test_the_codebook_learns_from_the_loss_in_training_and_from_nothing_else(discs: Discs) -> None:
    network = member()
    pixels = torch.from_numpy(discs(8))

    def codebook_after(use: Callable[[], object]) -> bool:
        before = [held.clone() for held in network.quantiser.buffers()]
        with torch.no_grad():
            use()
        return all(map(torch.equal, before, network.quantiser.buffers()))

    network.train()
    assert not codebook_after(lambda: network.losses(pixels, seeded()))
    assert codebook_after(lambda: network.encode(pixels))
    assert codebook_after(lambda: network(pixels))
    assert codebook_after(lambda: network.measures(pixels))
    network.eval()
    assert codebook_after(lambda: network.losses(pixels, seeded()))
    assert codebook_after(lambda: network.sample(2, seeded()))


def test_measures_are_those_of_the_codes_of_the_batch(discs: Discs) -> None:
    network = member().eval()
    pixels = torch.from_numpy(discs(8))
    with torch.no_grad():
        codes = network.quantiser.nearest(network.encode(pixels))
    assert network.measures(pixels) == usage(codes, network.n_codes)


@every_size
def test_scans_are_drawn_from_the_prior_and_decoded(size: tuple[int, ...]) -> None:
    network = member(size, channels=2).eval()
    with torch.no_grad():
        network.prior.to_logits.bias.copy_(
            torch.full((32,), -1e4).index_fill(0, torch.tensor(5), 0)
        )
    found = network.sample(3, seeded())
    fives = torch.full((1, *network.down.sizes[-1]), 5)
    with torch.no_grad():
        expected = network.decode(network.quantiser.lookup(fives))
    assert found.shape == (3, 2, *size)
    torch.testing.assert_close(found, expected.expand_as(found))


@pytest.mark.slow
def test_trained_it_uses_its_codebook_and_draws_scans_like_those_it_saw(discs: Discs) -> None:
    pixels = discs(384)
    network = member(widths=(16, 32), n_codes=64, prior_width=32, prior_layers=3)
    network.fit_normalisation(torch.from_numpy(pixels))
    pretrain(
        network,
        Pool(pixels, discs(32, seed=1)),
        FitSettings(epochs=20, batch_size=32, precision="fp32"),
        seed=0,
    )
    held_out = torch.from_numpy(discs(64, seed=2))
    with torch.no_grad():
        error = (network(held_out) - held_out).square().mean()
        found = network.sample(64, seeded())
    assert error < 0.15 * held_out.var()
    measures = network.measures(held_out)
    assert measures["codebook_use"] > 0.7
    assert measures["perplexity"] > 20
    # drawn scans: one bright spot on a gradient, of sizes and places that differ
    mean, drawn_mean = held_out.mean(), found.mean()
    assert abs(drawn_mean - mean) < 0.25 * mean
    background = found[..., :, [0, -1]].mean(dim=(0, 1, 3))
    assert background[-3:].mean() > background[:3].mean() + 0.1
    assert found.std(dim=0).mean() > 0.5 * held_out.std(dim=0).mean()
