"""VAE-GAN: a variational autoencoder whose scans are also judged by a discriminator of pixels.

    encode:  `Down`, flatten, dense -> mean m and log variance v, q(z | x) = N(m, diag(exp(v)))
    decode:  dense -> ReLU, `Up`
    loss:    R(x, x') + beta * c * KL(q(z | x) || N(0, I))          x' = decode(z), z ~ q
             + f * F(D*(x'), D*(x))                                 F: error of D's feature maps
             + a * g * softplus(-D*(x''))                           x'' = decode(p), p ~ N(0, I)
             + a * [softplus(-D(x)) + softplus(D(x')) / 2 + softplus(D(x'')) / 2]

R, KL and c are those of the variational autoencoder. D is a small discriminator of patches and D*
the same one with constant weights, so that one backward pass gives each part its own gradient. As
in the paper the encoder gets none from the game: it learns from R, F and KL, the decoder also from
what D says of its draws from the prior, and D from x against x' and x''. What keeps it stable: D is
small and under spectral normalisation; it learns from the first step, but g, the weight of its
word, grows from 0 to 1 late, when scans are already recognisable. In evaluation the loss is R and
KL alone: D and its features change, and by them the losses of two epochs could not be compared.

Larsen, Sonderby, Larochelle & Winther, "Autoencoding beyond pixels using a learned similarity
metric", ICML 2016. Spectral normalisation: Miyato et al., ICLR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import GenerativeAutoencoder, Images, Size
from latentdx.autoencoder.discriminator import (
    PixelDiscriminator,
    accuracy,
    deception_loss,
    discriminator_loss,
    feature_error,
)
from latentdx.autoencoder.frozen import frozen
from latentdx.autoencoder.gaussian import (
    Posterior,
    active_units,
    kl_scale,
    posterior,
    standard_normal,
    total_divergence,
)
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.trunk import Down, FromVector, ToVector, Up

_GROWS = 0.2  # share of the training in which g rises, once it has begun to


@final
class VaeGanAutoencoder(GenerativeAutoencoder):
    """A variational autoencoder with sharper scans, by learned features and a late game.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: length of the latent vector z.
    reconstruction: the reconstruction loss by name, or weights by name.
    beta, noise: weight of the KL term and standard deviation s of a pixel: see `variational`.
    feature_weight, adversarial_weight: f and a of the loss.
    adversarial_start: share of the training after which the decoder begins to play.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = VaeGanAutoencoder(channels=1, size=28)
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
        feature_weight: float = 0.01,
        adversarial_weight: float = 0.002,
        adversarial_start: float = 0.3,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.reconstruction = reconstruction
        self.beta = beta
        self.noise = noise
        self.feature_weight = feature_weight
        self.adversarial_weight = adversarial_weight
        self.adversarial_start = adversarial_start
        self.down = Down(channels, self.size, self.widths)
        self.to_posterior = ToVector(self.widths[-1], self.down.sizes[-1], 2 * latent_dim)
        self.from_latent = FromVector(latent_dim, self.widths[-1], self.down.sizes[-1])
        self.up = Up(channels, self.size, self.widths)
        self.discriminator = PixelDiscriminator(channels, dims=self.dims)

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

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        found = self.posterior(pixels)
        rebuilt = self.decode(found.draw(generator))
        error = reconstruction_loss(self.reconstruction, self.inside)
        scale = kl_scale(self.reconstruction, self.noise, math.prod(self.shape))
        terms = {
            "reconstruction": error(rebuilt, pixels),
            "kl": self.beta * scale * total_divergence(found.divergence()),
        }
        if not self.training:
            return terms
        # a batch of its own: statistics of one batch would lead the game's gradient to the encoder
        drawn = self.sample(len(pixels), generator)
        return {**terms, **self.game(pixels, rebuilt, drawn)}

    def game(self, pixels: Images, rebuilt: Images, drawn: Images) -> dict[str, Tensor]:
        """Feature matching, the decoder's term and the discriminator's."""
        judge = frozen(self.discriminator)
        with torch.no_grad():
            true_maps = judge(pixels).maps
        deceived = deception_loss(judge(drawn).logits)
        made = torch.cat([rebuilt, drawn]).detach()
        true_logits = self.discriminator(pixels).logits
        told = discriminator_loss(true_logits, self.discriminator(made).logits)
        return {
            "features": self.feature_weight * feature_error(judge(rebuilt).maps, true_maps),
            "adversarial": self.adversarial_weight * self.grown() * deceived,
            "discriminator": self.adversarial_weight * told,
        }

    def grown(self) -> float:
        """g at this point of the training: 0, a linear rise, 1."""
        return min(1.0, max(0.0, (self.progress - self.adversarial_start) / _GROWS))

    @override
    def measures(self, pixels: Images) -> dict[str, float]:
        """``active_units``, ``kl``: see `variational`; ``pixel_discriminator_accuracy``: 0.5 where
        reconstructions cannot be told from scans."""
        found = self.posterior(pixels)
        logits = [self.discriminator(seen).logits for seen in (pixels, self.decode(found.mean))]
        return {
            "active_units": active_units(found.mean),
            "kl": total_divergence(found.divergence()).item(),
            "pixel_discriminator_accuracy": accuracy(*logits),
        }

    @override
    def sample(self, count: int, generator: torch.Generator) -> Images:
        shape = (count, self.latent_dim)
        return self.decode(standard_normal(shape, generator, device=self.mean.device))
