"""Modules as users write them: with one return value or two, with losses, or without maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Halving(nn.Module):
    """Maps at two resolutions; `decode` may leave 0..1."""

    def __init__(self, channels: int = 1, width: int = 8, dims: int = 2) -> None:
        super().__init__()
        down, up = (nn.Conv2d, nn.ConvTranspose2d) if dims == 2 else (nn.Conv3d, nn.ConvTranspose3d)
        self.first, self.second = down(channels, width, 2, 2), down(width, 2 * width, 2, 2)
        self.to_latent = down(2 * width, 3, 1)
        self.from_latent = up(3, width, 2, 2)
        self.to_pixels = up(width, channels, 2, 2)

    def encode(self, pixels: Tensor) -> Tensor:
        hidden = torch.relu(self.first(pixels))
        found: Tensor = self.to_latent(torch.relu(self.second(hidden)))
        return found

    def decode(self, latent: Tensor) -> Tensor:
        found: Tensor = self.to_pixels(torch.relu(self.from_latent(latent))) + 0.2
        return found


class TwoParts(Halving):
    """As a variational autoencoder: (mean, log variance); the reconstruction first, too."""

    def encode(self, pixels: Tensor) -> Any:
        mean = super().encode(pixels)
        return mean, torch.zeros_like(mean)

    def decode(self, latent: Tensor) -> Any:
        return [super().decode(latent), None]


class WithLosses(Halving):
    """It knows what it wants."""

    def losses(self, pixels: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        noise = torch.randn(pixels.shape, generator=generator).to(pixels.device)
        error = (self.decode(self.encode(pixels + 0.1 * noise)) - pixels).abs().mean()
        return {"mine": error, "small": 1e-3 * self.first.weight.square().mean()}

    def layers(self, pixels: Tensor) -> list[Tensor]:
        return [self.first(pixels)]


class Dense(nn.Module):
    """No maps at all; a token beside its layers."""

    def __init__(self, length: int = 256) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(length, 12), nn.Linear(12, length)
        self.token = nn.Parameter(torch.linspace(0, 1, 12))

    def encode(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.down(pixels.flatten(1)) + self.token
        return found

    def decode(self, latent: Tensor) -> Tensor:
        found: Tensor = self.up(latent).reshape(-1, 1, 16, 16)
        return found
