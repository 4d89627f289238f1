"""The contractive autoencoder: its latent changes little where a scan changes a little.

    encode:  `Down`, flatten, dense, batch norm without gain -> latent h
    decode:  dense -> ReLU, `Up`
    loss:    R(x, decode(h)) + l / D * |J|^2,   J = dh / dx, (D, pixels), squared Frobenius norm

x is in units of the training part's standard deviation. |J|^2 is estimated by random projection:
for signs v, each +1 or -1 by chance, E |v' J|^2 = |J|^2 (Hutchinson 1990), and v' J is one
backward pass, which is differentiated once more to train the encoder.

The batch norm gives each unit of h variance 1. Without it a small h and a large decoder would make
the penalty vanish and contract nothing; the original ties the decoder's weights to the encoder's
for that. While it trains, batch norms let the scans of a batch act on each other's latents: then J
is the Jacobian of all latents of the batch by all of its pixels, over the number of scans.

Rifai, Vincent, Muller, Glorot & Bengio, "Contractive auto-encoders: explicit invariance during
feature extraction", ICML 2011. Hutchinson, Communications in Statistics 19, 1990.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, Size
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.trunk import Down, FromVector, ToVector, Up


@final
class ContractiveAutoencoder(Autoencoder):
    """Reconstruction and a penalty on the encoder's Jacobian.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: units D of the latent vector h.
    contraction_weight: l of the loss.
    projections: random projections a step, each one more backward pass; 1 is unbiased already.
    reconstruction: the reconstruction loss by name, or weights by name.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim) -> reconstruction (N, C, *size)

    Examples
    --------
    >>> network = ContractiveAutoencoder(channels=1, size=28)
    >>> list(network.losses(torch.rand(8, 1, 28, 28), torch.Generator().manual_seed(0)))
    ['reconstruction', 'contraction']
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_dim: int = 64,
        contraction_weight: float = 0.001,
        projections: int = 1,
        reconstruction: Reconstruction = "mse",
    ) -> None:
        super().__init__(channels=channels, size=size)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.contraction_weight = contraction_weight
        self.projections = projections
        self.reconstruction = reconstruction
        self.down = Down(channels, self.size, self.widths)
        deepest = (self.widths[-1], self.down.sizes[-1])
        self.to_latent = ToVector(*deepest, latent_dim)
        self.scale = nn.BatchNorm1d(latent_dim, affine=False)
        self.from_latent = FromVector(latent_dim, *deepest)
        self.up = Up(channels, self.size, self.widths)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        return self._layers(self.normalise(pixels))

    def _layers(self, normal: Images) -> list[Tensor]:
        maps: list[Tensor] = self.down(normal)
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        return self._encode(self.normalise(pixels))

    def _encode(self, normal: Images) -> Tensor:
        latent: Tensor = self.scale(self.to_latent(self._layers(normal)[-1]))
        return latent

    @override
    def decode(self, latent: Tensor) -> Images:
        pixels: Tensor = self.up(self.from_latent(latent))
        return pixels

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        latent, squared = with_jacobian_norm(
            self._encode, self.normalise(pixels), generator, projections=self.projections
        )
        error = reconstruction_loss(self.reconstruction, self.inside)(self.decode(latent), pixels)
        return {
            "reconstruction": error,
            "contraction": self.contraction_weight / self.latent_dim * squared,
        }


def with_jacobian_norm(
    encode: Callable[[Tensor], Tensor],
    inputs: Tensor,
    generator: torch.Generator,
    *,
    projections: int = 1,
) -> tuple[Tensor, Tensor]:
    """``encode(inputs)``, and an unbiased estimate of its Jacobian's squared Frobenius norm.

    The norm is a scalar, of the whole batch's Jacobian over the number of scans. It can be
    differentiated unless gradients are off where it is called.

    Examples
    --------
    >>> inputs, generator = torch.rand(2, 3), torch.Generator().manual_seed(0)
    >>> with_jacobian_norm(lambda x: 2 * x, inputs, generator)[1]
    tensor(12.)
    """
    is_training = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        latent = encode(inputs)
        squares = []
        for number in range(projections):
            signs = torch.randint(2, latent.shape, generator=generator) * 2 - 1
            (slope,) = torch.autograd.grad(
                latent,
                inputs,
                signs.to(latent),
                create_graph=is_training,
                retain_graph=is_training or number + 1 < projections,
            )
            squares.append(slope.pow(2).sum() / len(inputs))
        squared = torch.stack(squares).mean()
    return latent if is_training else latent.detach(), squared
