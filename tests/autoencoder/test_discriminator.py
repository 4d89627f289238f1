"""Discriminators, their losses by hand, and layers held to a largest singular value of one."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentdx.autoencoder.discriminator import (
    LatentDiscriminator,
    PixelDiscriminator,
    accuracy,
    deception_loss,
    discriminator_loss,
    feature_error,
    steepness,
)
from latentdx.autoencoder.spectral import SpectralNorm


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def normalised(layer: nn.Module, iterations: int = 200) -> SpectralNorm:
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(1))  # type: ignore[arg-type]
    found = SpectralNorm(layer)
    for _ in range(iterations):
        found.iterate()
    return found


LAYERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Linear(5, 7, bias=False), (3, 5)),
    (nn.Conv2d(2, 4, 3, bias=False), (3, 2, 6, 5)),
    (nn.Conv3d(2, 4, 3, stride=2, bias=False), (3, 2, 6, 5, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda held: type(held).__name__)
def test_a_layer_is_divided_by_its_largest_singular_value(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    found = normalised(copy.deepcopy(layer)).eval()
    largest = torch.linalg.svdvals(found.matrix())[0]
    torch.testing.assert_close(found.largest(), largest, atol=1e-4, rtol=1e-4)
    nn.init.constant_(found.bias, 2.0)
    torch.testing.assert_close(found(numbers(*shape)), found.layer(numbers(*shape)) / largest + 2)


def test_the_estimate_is_good_from_the_first_step() -> None:
    found = SpectralNorm(nn.Linear(64, 64, bias=False))
    largest = torch.linalg.svdvals(found.matrix())[0]
    assert 0.9 * largest < found.largest() <= largest + 1e-4


def test_the_weight_learns_through_the_division() -> None:
    """The derivative of ``W / s(W)``: it has no part along W itself."""
    found = normalised(nn.Linear(5, 7, bias=False)).eval()
    found(numbers(3, 5)).square().sum().backward()
    weight: Any = found.layer.weight
    assert weight.grad.any()
    assert abs(torch.sum(weight.grad * weight.detach())) < 1e-3 * weight.grad.norm()


def test_the_power_iteration_goes_on_in_training_only() -> None:
    found = SpectralNorm(nn.Linear(5, 7, bias=False))
    nn.init.normal_(found.layer.weight)  # type: ignore[arg-type]
    before = found.direction.clone()
    first = found.eval()(numbers(3, 5))
    assert torch.equal(found(numbers(3, 5)), first)
    assert torch.equal(found.direction, before)
    found.train()(numbers(3, 5))
    assert not torch.equal(found.direction, before)


def test_two_passes_of_one_step_have_one_backward() -> None:
    found = SpectralNorm(nn.Linear(5, 7, bias=False)).train()
    (found(numbers(3, 5)).sum() + found(numbers(3, 5, seed=1)).square().sum()).backward()
    assert found.bias.grad is not None


def test_copies_and_loaded_weights_are_equal_to_the_bit() -> None:
    judge = PixelDiscriminator(2, dims=2).train()
    judge(numbers(2, 2, 16, 16))
    copied = copy.deepcopy(judge).eval()
    loaded = PixelDiscriminator(2, dims=2)
    loaded.load_state_dict(judge.state_dict())
    expected = judge.eval()(numbers(2, 2, 16, 16)).logits
    assert torch.equal(copied(numbers(2, 2, 16, 16)).logits, expected)
    assert torch.equal(loaded.eval()(numbers(2, 2, 16, 16)).logits, expected)


def test_half_precision_is_close() -> None:
    judge = PixelDiscriminator(1, dims=3).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = judge(numbers(2, 1, 8, 9, 10)).logits
    assert (rounded - judge(numbers(2, 1, 8, 9, 10)).logits).abs().max() < 0.02


@pytest.mark.parametrize("size", [(8, 8), (29, 31), (13, 14, 15)], ids=str)
def test_each_patch_of_any_size_is_judged(size: tuple[int, ...]) -> None:
    seen = PixelDiscriminator(3, dims=len(size), widths=(4, 8, 12))(numbers(2, 3, *size))
    assert seen.logits.shape == (2, 1, *(math.ceil(side / 8) for side in size))
    assert [maps.shape[1] for maps in seen.maps] == [4, 8, 12]


def test_the_losses_are_cross_entropies() -> None:
    true, made = numbers(6, 1), numbers(4, 1, seed=1)
    entropy = functional.binary_cross_entropy_with_logits
    told = entropy(true, torch.ones(6, 1)) + entropy(made, torch.zeros(4, 1))
    torch.testing.assert_close(discriminator_loss(true, made), told)
    torch.testing.assert_close(deception_loss(made), entropy(made, torch.ones(4, 1)))
    assert deception_loss(made + 1) < deception_loss(made)


def test_accuracy_is_a_half_for_the_blind_and_one_for_the_sure() -> None:
    assert accuracy(numbers(50, 1) + 9, numbers(50, 1, seed=1)) == 1
    assert accuracy(numbers(50, 1), numbers(50, 1, seed=1) + 9) == 0
    level = 7.0  # of both: a drift says nothing
    assert accuracy(numbers(999, 1) + level, numbers(999, 1, seed=1) + level) == pytest.approx(
        0.5, abs=0.04
    )


def test_the_feature_error_counts_layers_alike_and_is_one_for_the_mean() -> None:
    true = (5 + numbers(4, 3, 6, 6), 100 * numbers(4, 8, 3, 3))
    assert feature_error(true, true) == 0
    means = [torch.full_like(maps, maps.mean().item()) for maps in true]
    assert feature_error(means, true).item() == pytest.approx(1, abs=0.02)


def test_steepness_is_the_squared_slope_and_teaches_the_discriminator() -> None:
    judge = nn.Linear(3, 1)
    found = steepness(judge, numbers(5, 3))
    torch.testing.assert_close(found, judge.weight.square().sum())
    found.backward()
    torch.testing.assert_close(judge.weight.grad, 2 * judge.weight.detach())
    deep = LatentDiscriminator(3, width=8)
    with torch.no_grad():
        assert steepness(deep, numbers(5, 3)) > 0
