"""The adversarial autoencoder: a plain latent, pressed into a prior's shape by a discriminator.

    encode:  `Down`, flatten, dense -> latent z
    decode:  dense -> ReLU, `Up`
    loss:    R(x, decode(z))
             + a * softplus(-D*(z))                                 z is taken for a prior draw
             + a * [softplus(-D(p)) + softplus(D(z.detach()))       D tells them apart; p ~ N(0, I)
                    + 5 |dD/dp|^2]                                  and stays flat

D is a small network of latents and D* the same one with constant weights, so that one backward
pass gives either side its own gradient. Unlike the KL term of a variational autoencoder, which
holds for each scan, the game asks only that the latents of all scans together look like the prior.
D is stable by spectral normalisation (Miyato et al., ICLR 2018) and the gradient penalty R1
(Mescheder et al., ICML 2018), without which latents went round their prior in circles; Adam makes
its pace independent of a. In evaluation the loss is R alone: what a game's terms are
after one epoch cannot be compared with what they are after another.

Makhzani, Shlens, Jaitly, Goodfellow & Frey, "Adversarial autoencoders", 2015 (arXiv 1511.05644).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import GenerativeAutoencoder, Images, Size
from latentdx.autoencoder.discriminator import (
    LatentDiscriminator,
    accuracy,
    deception_loss,
    discriminator_loss,
    steepness,
)
from latentdx.autoencoder.frozen import frozen
from latentdx.autoencoder.gaussian import standard_normal
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.trunk import Down, FromVector, ToVector, Up

_FLAT = 5.0


@final
class AdversarialAutoencoder(GenerativeAutoencoder):
    """Reconstruction, and a game in the latent space whose end is N(0, I).

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: length of the latent vector z; the prior is matched well where it is short.
    reconstruction: the reconstruction loss by name, or weights by name.
    adversarial_weight: a of the loss: larger brings latents closer to the prior.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = AdversarialAutoencoder(channels=1, size=28)
    >>> network.sample(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 1, 28, 28])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_dim: int = 16,
        reconstruction: Reconstruction = "mse",
        adversarial_weight: float = 0.05,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.reconstruction = reconstruction
        self.adversarial_weight = adversarial_weight
        self.down = Down(channels, self.size, self.widths)
        self.to_latent = ToVector(self.widths[-1], self.down.sizes[-1], latent_dim)
        self.from_latent = FromVector(latent_dim, self.widths[-1], self.down.sizes[-1])
        self.up = Up(channels, self.size, self.widths)
        self.discriminator = LatentDiscriminator(latent_dim)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        maps: list[Tensor] = self.down(self.normalise(pixels))
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        latent: Tensor = self.to_latent(self.layers(pixels)[-1])
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        pixels: Tensor = self.up(self.from_latent(latent))
        return pixels

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        latent = self.encode(pixels)
        error = reconstruction_loss(self.reconstruction, self.inside)(self.decode(latent), pixels)
        if not self.training:
            return {"reconstruction": error}
        return {"reconstruction": error, **self.game(latent, generator)}

    def game(self, latent: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """The encoder's term and the discriminator's."""
        prior = standard_normal(latent.shape, generator, device=latent.device)
        deceived = deception_loss(frozen(self.discriminator)(latent))
        true, made = self.discriminator(torch.cat([prior, latent.detach()])).chunk(2)
        told = discriminator_loss(true, made) + _FLAT * steepness(self.discriminator, prior)
        return {
            "adversarial": self.adversarial_weight * deceived,
            "discriminator": self.adversarial_weight * told,
        }

    @override
    def measures(self, pixels: Images) -> dict[str, float]:
        """``latent_discriminator_accuracy``: 0.5 where latents cannot be told from the prior."""
        latent = self.encode(pixels)
        fixed = torch.Generator().manual_seed(0)  # the same draws in every epoch
        prior = standard_normal(latent.shape, fixed, device=latent.device)
        found = accuracy(self.discriminator(prior), self.discriminator(latent))
        return {"latent_discriminator_accuracy": found}

    @override
    def sample(self, count: int, generator: torch.Generator) -> Images:
        shape = (count, self.latent_dim)
        return self.decode(standard_normal(shape, generator, device=self.mean.device))
