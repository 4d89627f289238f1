"""The variational autoencoder: a latent with a prior, from which new scans can be drawn.

    encode:  `Down`, flatten, dense -> mean m and log variance v, q(z | x) = N(m, diag(exp(v)))
    decode:  dense -> ReLU, `Up`
    loss:    R(x, decode(z)) + beta * w * c * KL(q(z | x) || N(0, I)),   z = m + exp(v / 2) e

R is a mean over the P = C * prod(size) pixels of a scan, KL a sum over units in nats, and c brings
both to one scale, so that beta = 1 is the evidence lower bound (ELBO):

    mse   c = 2 s^2 / P: the loss is 2 s^2 / P times the negative ELBO of pixels N(decode(z), s^2),
          up to a constant; s is `noise`, the error a pixel may have
    bce   c = 1 / P: the loss is 1 / P times the negative ELBO of Bernoulli pixels

Other losses have no likelihood of their own and use the c of ``mse``. w grows from 0 to 1 in the
first part of the training, once or in cycles; in evaluation it is 1, so that the losses of all
epochs on the tune part are of one kind and the best epoch can be told.

Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014. beta: Higgins et al., "beta-VAE",
ICLR 2017. Free bits: Kingma et al., NeurIPS 2016. Cycles: Fu et al., NAACL 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import GenerativeAutoencoder, Images, Size
from latentdx.autoencoder.gaussian import (
    Posterior,
    active_units,
    kl_scale,
    posterior,
    standard_normal,
    total_divergence,
    warm_up,
)
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.trunk import Down, FromVector, ToVector, Up


@final
class VariationalAutoencoder(GenerativeAutoencoder):
    """Reconstruction from a drawn latent, and a KL term that keeps the latent near its prior.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: length of the latent vector z.
    reconstruction: the reconstruction loss by name, or weights by name.
    beta: weight of the KL term; above 1 units are more independent and reconstructions blurred.
    noise: standard deviation s of a pixel (pixels are in 0..1).
    free_nats: information that each unit may carry for nothing; 0 for the ELBO, 0.1 to 0.5 against
        posterior collapse.
    warm_up, cycles: share of each of `cycles` parts of the training in which w grows to 1.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = VariationalAutoencoder(channels=1, size=28)
    >>> network.sample(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 1, 28, 28])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_dim: int = 32,
        reconstruction: Reconstruction = "mse",
        beta: float = 1.0,
        noise: float = 0.1,
        free_nats: float = 0.0,
        warm_up: float = 0.25,
        cycles: int = 1,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.reconstruction = reconstruction
        self.beta = beta
        self.noise = noise
        self.free_nats = free_nats
        self.warm_up = warm_up
        self.cycles = cycles
        self.down = Down(channels, self.size, self.widths)
        self.to_posterior = ToVector(self.widths[-1], self.down.sizes[-1], 2 * latent_dim)
        self.from_latent = FromVector(latent_dim, self.widths[-1], self.down.sizes[-1])
        self.up = Up(channels, self.size, self.widths)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        maps: list[Tensor] = self.down(self.normalise(pixels))
        return maps

    def posterior(self, pixels: Images) -> Posterior:
        """Mean and log variance of q(z | x), (N, latent_dim) each."""
        return posterior(self.to_posterior(self.layers(pixels)[-1]))

    @override
    def encode(self, pixels: Images) -> Tensor:
        """The posterior's mean."""
        return self.posterior(pixels).mean

    @override
    def decode(self, latent: Tensor) -> Images:
        pixels: Tensor = self.up(self.from_latent(latent))
        return pixels

    def kl_weight(self) -> float:
        """``beta * w * c`` at this point of the training."""
        scale = kl_scale(self.reconstruction, self.noise, math.prod(self.shape))
        grown = warm_up(self.progress, self.warm_up, cycles=self.cycles) if self.training else 1.0
        return self.beta * grown * scale

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        found = self.posterior(pixels)
        rebuilt = self.decode(found.draw(generator))
        error = reconstruction_loss(self.reconstruction, self.inside)
        divergence = total_divergence(found.divergence(), free_nats=self.free_nats)
        return {
            "reconstruction": error(rebuilt, pixels),
            "kl": self.kl_weight() * divergence,
        }

    @override
    def measures(self, pixels: Images) -> dict[str, float]:
        """``active_units``: share of the units in use; ``kl``: nats of a scan."""
        found = self.posterior(pixels)
        divergence = total_divergence(found.divergence())
        return {"active_units": active_units(found.mean), "kl": divergence.item()}

    @override
    def sample(self, count: int, generator: torch.Generator) -> Images:
        shape = (count, self.latent_dim)
        return self.decode(standard_normal(shape, generator, device=self.mean.device))
