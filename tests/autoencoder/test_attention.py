"""Attention by hand: gates in 0..1, softmax over places, and a bound on the places looked at."""

from __future__ import annotations

import math

import pytest
import torch

from latentdx.autoencoder.attention import ChannelAttention, SpatialAttention, averaged

every_size = pytest.mark.parametrize("size", [(5, 7), (3, 4, 5)], ids=str)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def permuted(maps: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return maps.flatten(2)[..., order].reshape(maps.shape)


@every_size
def test_gates_are_between_0_and_1_and_multiply_their_channels(size: tuple[int, ...]) -> None:
    attention, maps = ChannelAttention(16), 5 * drawn(4, 16, *size)
    gates = attention.gates(maps)
    assert gates.shape == (4, 16)
    assert gates.min() > 0
    assert gates.max() < 1
    assert gates.std() > 0
    torch.testing.assert_close(attention(maps).flatten(2), maps.flatten(2) * gates[..., None])


@every_size
def test_gates_depend_on_the_mean_of_their_own_scan_alone(size: tuple[int, ...]) -> None:
    attention, maps = ChannelAttention(16), drawn(4, 16, *size)
    order = torch.randperm(math.prod(size), generator=torch.Generator().manual_seed(1))
    gates = attention.gates(maps)
    torch.testing.assert_close(attention.gates(permuted(maps, order)), gates)
    torch.testing.assert_close(attention.gates(maps[:1]), gates[:1])
    assert not torch.allclose(attention.gates(maps + 1), gates)


@every_size
def test_places_attend_to_places_whatever_their_order(size: tuple[int, ...]) -> None:
    attention, maps = SpatialAttention(16), drawn(2, 16, *size)
    order = torch.randperm(math.prod(size), generator=torch.Generator().manual_seed(1))
    found = attention(permuted(maps, order))
    torch.testing.assert_close(found, permuted(attention(maps), order))
    assert not torch.allclose(found, attention(maps))


def test_spatial_attention_is_its_formula() -> None:
    attention, maps = SpatialAttention(8, heads=2), drawn(1, 8, 3, 4)
    tokens = maps.flatten(2)[0].T
    normal = (tokens - tokens.mean(1, keepdim=True)) / torch.sqrt(
        tokens.var(1, correction=0, keepdim=True) + 1e-5
    )
    layers = (attention.to_query, attention.to_key, attention.to_value)
    query, key, value = (normal @ layer.weight.T for layer in layers)
    taken = []
    for head in (slice(0, 4), slice(4, 8)):
        shares = torch.softmax(query[:, head] @ key[:, head].T / math.sqrt(4), dim=1)
        taken.append(shares @ value[:, head])
    expected = tokens + torch.cat(taken, dim=1) @ attention.to_maps.weight.T
    expected = expected + attention.to_maps.bias
    torch.testing.assert_close(attention(maps)[0].flatten(1).T, expected)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((32, 32), (32, 32)), ((33, 32), (17, 16)), ((16, 16, 16), (8, 8, 8)), ((90, 50), (30, 17))],
)
def test_at_most_so_many_places_are_looked_at(
    size: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    found = averaged(torch.zeros(1, 1, *size), 1024)
    assert found.shape[2:] == expected
    assert math.prod(found.shape[2:]) <= 1024


def test_cells_at_an_odd_border_are_averaged_over_what_there_is() -> None:
    maps = torch.arange(15.0).reshape(1, 1, 3, 5)
    expected = torch.tensor([[[[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]]])
    torch.testing.assert_close(averaged(maps, 6), expected)


def test_averaged_keys_change_nothing_where_the_cells_are_flat() -> None:
    bounded, whole = SpatialAttention(8, places=4), SpatialAttention(8, places=64)
    bounded.load_state_dict(whole.state_dict())
    flat = drawn(2, 8, 2, 2).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    torch.testing.assert_close(bounded(flat), whole(flat))
    rough = drawn(2, 8, 8, 8)
    assert not torch.allclose(bounded(rough), whole(rough))


@pytest.mark.parametrize(("channels", "heads"), [(16, 4), (6, 2), (7, 1)])
def test_heads_divide_the_channels(channels: int, heads: int) -> None:
    attention = SpatialAttention(channels)
    assert attention.heads == heads
    assert attention(drawn(1, channels, 3, 3)).shape == (1, channels, 3, 3)
