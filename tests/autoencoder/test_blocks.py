"""Layers for images and volumes: shortcuts give what the plain layers give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latentdx.autoencoder.blocks import (
    convolution,
    enlarged,
    enlarged_convolution,
    laid_out,
    max_pooled,
    shuffled,
    unshuffled,
)


def seeded(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("sides", "size"),
    [((4, 4), (8, 8)), ((3, 5), (6, 10)), ((4, 4), (7, 8)), ((2, 3, 4), (4, 6, 8))], ids=str,
)  # fmt: skip
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_of_enlarged_maps_is_that_convolution(
    sides: tuple[int, ...], size: tuple[int, ...], bias: bool
) -> None:
    layer = convolution(len(sides), 3, 5, bias=bias)
    given = seeded(2, 3, *sides).requires_grad_()
    found, plain = enlarged_convolution(layer, given, size), layer(enlarged(given, size))
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-5)
    weights = seeded(*plain.shape)
    inputs = (given, *layer.parameters())
    ours = torch.autograd.grad((found * weights).sum(), inputs)
    theirs = torch.autograd.grad((plain * weights).sum(), inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sides", [(6, 8), (5, 7), (4, 6, 2), (5, 3, 7)], ids=str)
def test_unshuffled_pixels_come_back(sides: tuple[int, ...]) -> None:
    pixels = seeded(2, 3, *sides)
    maps = unshuffled(pixels)
    assert maps.shape == (2, 3 * 2 ** len(sides), *(-(-side // 2) for side in sides))
    assert torch.equal(shuffled(maps, sides), pixels)


def test_a_cell_of_a_volume_becomes_channels_in_order() -> None:
    volume = torch.arange(8.0).reshape(1, 1, 2, 2, 2)
    assert unshuffled(volume).flatten().tolist() == list(range(8))


def test_an_odd_border_makes_a_pool_of_its_own() -> None:
    assert max_pooled(torch.arange(5.0).expand(1, 1, 1, 5)).flatten().tolist() == [1, 3, 4]
    assert max_pooled(seeded(1, 2, 3, 4, 5)).shape == (1, 2, 2, 2, 3)


def test_every_convolution_lies_channels_last() -> None:
    network = laid_out(nn.Sequential(nn.Conv2d(4, 8, 3), nn.Conv3d(4, 8, 3), nn.Linear(2, 2)))
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last_3d)
