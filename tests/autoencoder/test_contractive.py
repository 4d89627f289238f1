"""The penalty is in expectation the squared norm of the encoder's Jacobian; so is its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from latentdx.autoencoder.contractive import ContractiveAutoencoder, with_jacobian_norm

Discs = Callable[..., NDArray[np.float32]]


def small(**settings: Any) -> ContractiveAutoencoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ContractiveAutoencoder(
            **{"size": 8, "widths": (4, 8), "latent_dim": 5, "contraction_weight": 1.0, **settings}
        )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_tiny_net() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def exact(encode: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """The Jacobian of all outputs by all inputs, row by row."""
    found: Tensor = jacobian(encode, inputs, create_graph=True)
    return found.pow(2).sum() / len(inputs)


def test_the_estimate_is_the_exact_norm_in_expectation() -> None:
    net, inputs = a_tiny_net(), torch.randn(4, 6, generator=seeded())
    _, found = with_jacobian_norm(net, inputs, seeded(1), projections=1000)
    torch.testing.assert_close(found, exact(net, inputs), rtol=0.03, atol=0)
    few = [with_jacobian_norm(net, inputs, seeded(seed))[1].item() for seed in range(20)]
    assert np.std(few) > 0.01 * np.mean(few)


def test_its_gradient_is_that_of_the_exact_norm_in_expectation() -> None:
    net, inputs = a_tiny_net(), torch.randn(4, 6, generator=seeded())
    weights = [parameter for name, parameter in net.named_parameters() if name != "2.bias"]
    expected = torch.autograd.grad(exact(net, inputs), weights)
    _, estimate = with_jacobian_norm(net, inputs, seeded(1), projections=2000)
    for a, b in zip(torch.autograd.grad(estimate, weights), expected, strict=True):
        assert float((a - b).norm() / b.norm()) < 0.08


@pytest.mark.parametrize("size", [(8, 8), (8, 9, 8)], ids=str)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_term_is_the_exact_norm_over_the_units(
    size: tuple[int, ...], mode: str, discs: Discs
) -> None:
    """By pixels in units of their deviation; in training of the whole batch's Jacobian."""
    network, pixels = small(size=size, projections=200), torch.from_numpy(discs(3, size=size))
    network.fit_normalisation(pixels)
    assert float(network.std) < 0.5
    network.train(mode == "train")
    deviation = float(network.std)
    expected = exact(lambda scaled: network.encode(scaled * deviation), pixels / deviation) / 5
    found = network.losses(pixels, seeded())["contraction"]
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)


def test_a_smaller_latent_does_not_pay(discs: Discs) -> None:
    network, pixels = small().train(), torch.from_numpy(discs(16, size=8))
    before = network.losses(pixels, seeded())
    with torch.no_grad():
        network.to_latent.dense.weight.div_(4)
        network.to_latent.dense.bias.div_(4)
    after = network.losses(pixels, seeded())
    torch.testing.assert_close(after, before, rtol=0.02, atol=1e-4)
    deviation = network.encode(pixels).std(dim=0, correction=0)
    torch.testing.assert_close(deviation, torch.ones(5), atol=0.05, rtol=0)


def test_training_contracts(discs: Discs) -> None:
    pixels = torch.from_numpy(discs(32, size=8))
    norms = {}
    for weight in (0.0, 0.05):
        network = small(contraction_weight=weight)
        network.fit_normalisation(pixels)
        optimizer = torch.optim.Adam(network.train().parameters(), 3e-3)
        for step in range(40):
            optimizer.zero_grad()
            torch.stack(list(network.losses(pixels, seeded(step)).values())).sum().backward()
            optimizer.step()
        normal = network.normalise(pixels)
        norms[weight] = with_jacobian_norm(network._encode, normal, seeded())[1].item()
    assert norms[0.05] < 0.5 * norms[0.0]


def test_bfloat16_gives_nearly_the_same_penalty_and_gradient(discs: Discs) -> None:
    network, pixels = small(size=16).train(), torch.from_numpy(discs(16))
    network.fit_normalisation(pixels)
    weight = network.down.stages[0][0][0].weight
    found = []
    for bf16 in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            term = network.losses(pixels, seeded())["contraction"]
        assert term.dtype == torch.float32
        found.append((term, *torch.autograd.grad(term, [weight])))
    (first, slope), (second, rough) = found
    torch.testing.assert_close(second, first, rtol=0.05, atol=0)
    assert float(torch.cosine_similarity(slope.flatten(), rough.flatten(), dim=0)) > 0.98


def test_without_gradients_it_is_the_same_number_and_leaves_no_graph(discs: Discs) -> None:
    network, pixels = small().eval(), torch.from_numpy(discs(4, size=8))
    with torch.no_grad():
        quiet = network.losses(pixels, seeded())
        found = with_jacobian_norm(network.encode, pixels, seeded())
    assert not any(term.requires_grad for term in (*quiet.values(), *found))
    torch.testing.assert_close(network.losses(pixels, seeded()), quiet)
    assert not pixels.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())
