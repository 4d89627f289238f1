"""The classic recipe is the classic recipe: 32-64-128, three poolings, a dense latent of 32."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latentdx.autoencoder.convolutional import ConvolutionalAutoencoder
from latentdx.autoencoder.losses.pixel import binary_cross_entropy


def n_parameters_by_hand(channels: int, side: int, latent: int) -> int:
    """Weights and biases of seven 3 x 3 convolutions and two dense layers."""
    pairs = [(channels, 32), (32, 64), (64, 128), (128, 64), (64, 32), (32, 32), (32, channels)]
    convolutions = sum(9 * inputs * outputs + outputs for inputs, outputs in pairs)
    flat = 128 * side * side
    return convolutions + (flat * latent + latent) + (latent * flat + flat)


@pytest.mark.parametrize(("size", "channels", "side"), [(28, 1, 4), (64, 3, 8), (29, 1, 4)])
def test_the_parameters_are_those_of_the_recipe(size: int, channels: int, side: int) -> None:
    network = ConvolutionalAutoencoder(channels=channels, size=size)
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == n_parameters_by_hand(channels, side, 32)


def test_three_poolings_halve_the_scan_and_a_dense_latent_follows() -> None:
    network = ConvolutionalAutoencoder()
    pixels = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    shapes = [tuple(found.shape) for found in network.layers(pixels)]
    assert shapes == [(2, 32, 14, 14), (2, 64, 7, 7), (2, 128, 4, 4)]
    assert network.encode(pixels).shape == (2, 32)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert {module.kernel_size for module in convolutions} == {(3, 3)}


def test_a_layer_is_convolution_then_rectifier_then_maximum() -> None:
    network = ConvolutionalAutoencoder(size=8, widths=(4,))
    pixels = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    (found,) = network.layers(pixels)
    hidden = network.encoder[0](pixels).clamp(min=0)
    expected = hidden.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(-1, -2))
    torch.testing.assert_close(found, expected)


def test_the_loss_is_the_one_asked_for() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(3, 1, 16, 16, generator=generator)
    squared = ConvolutionalAutoencoder(size=16, reconstruction="mse")
    entropy = ConvolutionalAutoencoder(size=16, reconstruction="bce")
    entropy.load_state_dict(squared.state_dict())
    rebuilt = squared(pixels)
    torch.testing.assert_close(
        squared.losses(pixels, generator), {"reconstruction": ((rebuilt - pixels) ** 2).mean()}
    )
    torch.testing.assert_close(
        entropy.losses(pixels, generator),
        {"reconstruction": binary_cross_entropy(rebuilt, pixels)},
    )
