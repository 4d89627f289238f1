"""Weights held constant: gradients go through them, none to them, and no buffer is touched."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from latentdx.autoencoder.discriminator import LatentDiscriminator, PixelDiscriminator
from latentdx.autoencoder.frozen import frozen


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def normalised() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1))


def state(module: nn.Module) -> dict[str, Tensor]:
    return {key: tensor.clone() for key, tensor in module.state_dict().items()}


def test_it_computes_as_the_module_does_and_gives_the_same_gradient_to_the_inputs() -> None:
    module = normalised().eval()
    first, second = (numbers(5, 4).requires_grad_() for _ in range(2))
    module(first).square().sum().backward()
    frozen(module)(second).square().sum().backward()
    assert torch.equal(frozen(module)(second), module(first))
    assert first.grad is not None
    assert second.grad is not None
    assert first.grad.any()
    assert torch.equal(first.grad, second.grad)


def test_the_weights_get_no_gradient() -> None:
    module = normalised()
    inputs = numbers(5, 4).requires_grad_()
    frozen(module)(inputs).sum().backward()
    assert all(parameter.grad is None for parameter in module.parameters())
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("kind", ["batch norm", "spectral norm"])
def test_running_statistics_are_left_alone_in_training_too(kind: str) -> None:
    module = normalised() if kind == "batch norm" else LatentDiscriminator(4, width=6)
    before = state(module.train())
    call = frozen(module)
    assert torch.equal(call(numbers(5, 4) + 3), call(numbers(5, 4) + 3))
    assert all(torch.equal(before[key], held) for key, held in module.state_dict().items())
    module(numbers(5, 4) + 3)
    assert any(not torch.equal(before[key], held) for key, held in module.state_dict().items())


def test_it_follows_the_weights_of_the_module() -> None:
    module = nn.Linear(2, 1)
    call = frozen(module)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    assert call(torch.ones(1, 2)).item() == 0


def test_one_backward_pass_gives_each_player_its_own_gradient() -> None:
    judge, maker = LatentDiscriminator(3, width=8), nn.Linear(2, 3)
    other = copy.deepcopy(judge), copy.deepcopy(maker)
    inputs = numbers(6, 2)
    made = maker(inputs)
    (frozen(judge)(made).sum() + judge(made.detach()).square().sum()).backward()
    other[0].eval()
    torch.autograd.backward(other[0](other[1](inputs)).sum(), inputs=list(other[1].parameters()))
    for mine, theirs in zip(maker.parameters(), other[1].parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-3, rtol=1e-2)
    assert all(weight.grad is not None and weight.grad.any() for weight in judge.parameters())


def test_results_of_several_tensors_are_kept() -> None:
    judge = PixelDiscriminator(1, dims=2, widths=(4, 8)).eval()
    pixels = numbers(2, 1, 9, 11).requires_grad_()
    seen, known = frozen(judge)(pixels), judge(pixels)
    assert torch.equal(seen.logits, known.logits)
    assert all(torch.equal(a, b) for a, b in zip(seen.maps, known.maps, strict=True))
