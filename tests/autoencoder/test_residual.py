"""Residual blocks: what is added to the maps, the shortcut, depth, and attention by option."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from latentdx.autoencoder.attention import ChannelAttention, SpatialAttention
from latentdx.autoencoder.residual import ResidualAutoencoder, ResidualBlock
from latentdx.core.errors import StopError


def drawn(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


@pytest.mark.parametrize("outputs", [4, 6])
def test_a_block_is_its_formula(outputs: int) -> None:
    block, maps = ResidualBlock(2, 4, outputs), drawn(2, 4, 6, 6)
    block(maps)  # running statistics are no longer 0 and 1
    block.eval()
    (norm, _), (first, (norm_2, _), last) = block.active, block.branch
    active = torch.relu(norm(maps))
    added = last(torch.relu(norm_2(first(active))))
    kept = maps if block.shortcut is None else block.shortcut(active)
    assert (block.shortcut is None) == (outputs == 4)
    assert not torch.allclose(active, maps)
    torch.testing.assert_close(block(maps), kept + added)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_block_that_adds_nothing_is_the_identity_and_so_is_its_gradient(dims: int) -> None:
    block, maps = ResidualBlock(dims, 4, 4), drawn(2, 4, *(5,) * dims).requires_grad_()
    nn.init.zeros_(block.branch[2].weight)
    nn.init.zeros_(block.branch[2].bias)
    assert torch.equal(block(maps), maps)
    block(maps).sum().backward()
    assert maps.grad is not None
    assert torch.equal(maps.grad, torch.ones_like(maps))


@pytest.mark.parametrize("size", [(7, 8), (5, 6, 7)])
def test_a_stride_halves_and_rounds_up_on_both_paths(size: tuple[int, ...]) -> None:
    block = ResidualBlock(len(size), 4, 6, stride=2)
    assert block(drawn(2, 4, *size)).shape == (2, 6, *(-(-side // 2) for side in size))


def test_a_gate_is_on_what_is_added_only() -> None:
    block, maps = ResidualBlock(2, 4, 4, gated=True), drawn(2, 4, 6, 6)
    nn.init.constant_(block.gate.excite.bias, -1e4)
    assert torch.equal(block(maps), maps)


def test_depth_is_blocks_a_stage_down_and_up() -> None:
    for depth in (1, 2, 3):
        network = ResidualAutoencoder(size=16, widths=(8, 16, 16), depth=depth)
        assert count(network, ResidualBlock) == 2 * 3 * depth


@pytest.mark.parametrize(
    ("attention", "n_gates", "n_looks"),
    [("none", 0, 0), ("channel", 8, 0), ("spatial", 0, 1), ("both", 8, 1)],
)
def test_attention_is_where_it_is_asked_for(attention: Any, n_gates: int, n_looks: int) -> None:
    network = ResidualAutoencoder(size=(11, 12, 9), widths=(8, 16), attention=attention)
    assert count(network, ChannelAttention) == n_gates
    assert count(network, SpatialAttention) == n_looks
    assert network(drawn(2, 1, 11, 12, 9)).shape == (2, 1, 11, 12, 9)


def test_self_attention_carries_from_one_corner_to_the_other() -> None:
    """No convolution of this depth sees so far."""
    pixels = drawn(1, 1, 64, 64)
    changed = pixels.clone()
    changed[..., :4, :4] += 0.5
    for attention, reaches in (("none", False), ("spatial", True)):
        network = ResidualAutoencoder(size=64, widths=(8, 16), depth=1, attention=attention)
        network = network.double().eval()
        difference = network.encode(pixels.double()) - network.encode(changed.double())
        assert bool(difference[..., -1, -1].any()) is reaches


def test_an_unknown_attention_is_refused() -> None:
    with pytest.raises(StopError, match="none, channel, spatial, both") as caught:
        ResidualAutoencoder(attention="all")  # type: ignore[arg-type]
    assert caught.value.code == "E_NAME"
