"""The vector-quantised autoencoder: a scan in words of a learned vocabulary, and a prior of words.

    encode:  `Down`, 1x1 conv -> latent map z, a vector z_p at each position p
    decode:  q_p = the code of the codebook nearest to z_p; 1x1 conv -> ReLU, `Up`
    loss:    R(x, decode(z)) + b mean |z - sg(q)|^2 + c CE(prior, codes)

The gradient of R passes from q to z as if nothing had been rounded; sg stops gradients. Codes
follow the vectors nearest to them (`Quantiser`). The prior is a gated PixelCNN over the maps of
codes (`CodePrior`), learned beside: it changes neither encoder nor codebook, and `sample` draws
from it.

The latent is what it was before rounding: features then do not jump where a vector lies halfway
between two codes. `decode` rounds, so that a reconstruction is made of codes alone.

van den Oord, Vinyals & Kavukcuoglu, "Neural discrete representation learning", NeurIPS 2017;
Razavi, van den Oord & Vinyals, NeurIPS 2019; rounding in the decoder: Rombach et al., CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from latentdx.autoencoder.base import GenerativeAutoencoder, Images, Size
from latentdx.autoencoder.blocks import convolution
from latentdx.autoencoder.code_prior import CodePrior
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.quantiser import Quantiser, usage
from latentdx.autoencoder.trunk import Down, Up


@final
class VectorQuantisedAutoencoder(GenerativeAutoencoder):
    """A latent map rounded to a codebook, with a PixelCNN as its prior.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: channels of the latent map z, which is the length of a code.
    n_codes: codes in the codebook.
    reconstruction: the reconstruction loss by name, or weights by name.
    commitment_weight: b of the loss: how strongly z is held to the codes.
    prior_weight: c of the loss, small: the best epoch is to be chosen by the reconstruction.
    prior_width, prior_layers: of the PixelCNN.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim, *deepest) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = VectorQuantisedAutoencoder(channels=1, size=28).eval()
    >>> network(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 1, 28, 28])
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
        n_codes: int = 256,
        reconstruction: Reconstruction = "ssim-gradient",
        commitment_weight: float = 0.25,
        prior_weight: float = 0.02,
        prior_width: int = 64,
        prior_layers: int = 5,
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.n_codes = n_codes
        self.reconstruction = reconstruction
        self.commitment_weight = commitment_weight
        self.prior_weight = prior_weight
        self.prior_width = prior_width
        self.prior_layers = prior_layers
        deepest = self.widths[-1]
        self.down = Down(channels, self.size, self.widths)
        self.to_latent = convolution(self.dims, deepest, latent_dim, 1)
        self.quantiser = Quantiser(n_codes=n_codes, dim=latent_dim)
        self.from_latent = convolution(self.dims, latent_dim, deepest, 1)
        self.up = Up(channels, self.size, self.widths)
        self.prior = CodePrior(
            n_codes=n_codes, size=self.down.sizes[-1], width=prior_width, layers=prior_layers
        )

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
        pixels: Tensor = self.up(torch.relu(self.from_latent(self.quantiser(latent))))
        return pixels

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        latent = self.encode(pixels).float()
        if self.training:
            self.quantiser.learn(latent, generator)
        codes = self.quantiser.nearest(latent)
        error = reconstruction_loss(self.reconstruction, self.inside)(self.decode(latent), pixels)
        commitment = functional.mse_loss(latent, self.quantiser.lookup(codes))
        return {
            "reconstruction": error,
            "commitment": self.commitment_weight * commitment,
            "prior": self.prior_weight * self.prior.loss(codes),
        }

    @override
    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Images:
        codes = self.prior.sample(count, generator)
        return self.decode(self.quantiser.lookup(codes))

    @override
    @torch.no_grad()
    def measures(self, pixels: Images) -> dict[str, float]:
        """Perplexity and use of the codebook on a batch: see `usage`."""
        return usage(self.quantiser.nearest(self.encode(pixels)), self.n_codes)
