"""The sparse autoencoder: many units, of which a scan uses few.

    encode:  `Down`, flatten, dense -> a, latent h = f(a)
    decode:  dense -> ReLU, `Up`
    loss:    R(x, decode(h)) + b * S

with f and S by the kind of sparsity, r the activity that is wanted, D units and N scans

    kl     h = sigmoid(a),  S = 1/D sum_j KL(r || m_j),  m_j = 1/N sum_i h_ij
           KL(r || m) = r log(r / m) + (1 - r) log((1 - r) / (1 - m))
    l1     h = relu(a),     S = 1/N sum_i |h_i|_1 / (sqrt(D) |h_i|_2)
    top-k  h = a where a is among the k = r D largest of the scan, else 0;  no S

The L1 norm is taken at unit length, since the decoder would undo any mere shrinking of h. k falls
from D to r D over the first half of the training, which keeps units from dying unused.

kl: Ng, "Sparse autoencoder", CS294A lecture notes, Stanford 2011; after Lee, Ekanadham & Ng, NIPS
2007. l1: Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 2004.
top-k: Makhzani & Frey, "k-sparse autoencoders", ICLR 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Images, Size
from latentdx.autoencoder.losses.reconstruction import Reconstruction, reconstruction_loss
from latentdx.autoencoder.trunk import Down, FromVector, ToVector, Up
from latentdx.core.errors import StopError

Sparsity = Literal["kl", "l1", "top-k"]
Latent = Float[Tensor, "batch unit"]

_FALLS_FOR = 0.5


@final
class SparseAutoencoder(Autoencoder):
    """A wide latent vector of which few units are active for a scan.

    Parameters
    ----------
    channels, size: of the scans, (C, *size).
    widths: channels of the stages; the first works at half the resolution of the scan, each
        later one at half of the one before.
    latent_dim: units D of the latent vector h.
    sparsity: its kind.
    activity: r, in 0..1: the mean activation of a unit (``kl``), or the share of units that are
        kept (``top-k``); ``l1`` has none.
    sparsity_weight: b of the loss.
    reconstruction: the reconstruction loss by name, or weights by name.

    Shapes
    ------
    pixels (N, C, *size) -> latent (N, latent_dim) -> reconstruction (N, C, *size)

    Raises
    ------
    StopError: ``E_NAME`` for an unknown kind of sparsity.

    Examples
    --------
    >>> network = SparseAutoencoder(channels=1, size=28, latent_dim=100, sparsity="top-k")
    >>> (network.eval().encode(torch.rand(2, 1, 28, 28)) != 0).sum(dim=1)
    tensor([10, 10])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: Size = 64,
        widths: Sequence[int] = (48, 96, 192),
        latent_dim: int = 256,
        sparsity: Sparsity = "kl",
        activity: float = 0.1,
        sparsity_weight: float = 0.002,
        reconstruction: Reconstruction = "mse",
    ) -> None:
        super().__init__(channels=channels, size=size)
        if sparsity not in get_args(Sparsity):
            fix = f"choose one of {', '.join(get_args(Sparsity))}"
            raise StopError("E_NAME", f"no sparsity is called {sparsity!r}", fix=fix)
        self.widths = tuple(widths)
        self.latent_dim = latent_dim
        self.sparsity: Sparsity = sparsity
        self.activity = activity
        self.sparsity_weight = sparsity_weight
        self.reconstruction = reconstruction
        self.down = Down(channels, self.size, self.widths)
        deepest = (self.widths[-1], self.down.sizes[-1])
        self.to_latent = ToVector(*deepest, latent_dim)
        self.from_latent = FromVector(latent_dim, *deepest)
        self.up = Up(channels, self.size, self.widths)

    @override
    def layers(self, pixels: Images) -> list[Tensor]:
        maps: list[Tensor] = self.down(self.normalise(pixels))
        return maps

    @override
    def encode(self, pixels: Images) -> Tensor:
        activations = self.to_latent(self.layers(pixels)[-1])
        if self.sparsity == "kl":
            return torch.sigmoid(activations)
        if self.sparsity == "l1":
            return torch.relu(activations)
        return largest(activations, self.kept())

    def kept(self) -> int:
        """k of ``top-k``, 1 at least: while it trains, by its progress; else the final one."""
        left = max(0.0, 1 - self.progress / _FALLS_FOR) if self.training else 0.0
        return max(1, round(self.latent_dim * (self.activity + left * (1 - self.activity))))

    @override
    def decode(self, latent: Tensor) -> Images:
        pixels: Tensor = self.up(self.from_latent(latent))
        return pixels

    @override
    def losses(self, pixels: Images, generator: torch.Generator) -> dict[str, Tensor]:
        latent = self.encode(pixels)
        error = reconstruction_loss(self.reconstruction, self.inside)(self.decode(latent), pixels)
        terms = {"reconstruction": error}
        if self.sparsity == "kl":
            terms["sparsity"] = self.sparsity_weight * activity_divergence(latent, self.activity)
        elif self.sparsity == "l1":
            terms["sparsity"] = self.sparsity_weight * relative_l1(latent)
        return terms

    @override
    def measures(self, pixels: Images) -> dict[str, float]:
        """``activity``: mean activation (``kl``), or the mean share of units that are not zero."""
        latent = self.encode(pixels).float()
        used = latent if self.sparsity == "kl" else (latent != 0).float()
        return {"activity": used.mean().item()}


def activity_divergence(latent: Latent, activity: float) -> Tensor:
    """S of ``kl``: a scalar in nats, 0 where each unit's mean is `activity`; in 32 bits."""
    mean = latent.float().mean(dim=0).clamp(1e-6, 1 - 1e-6)
    wanted = torch.full_like(mean, activity)
    found = torch.xlogy(wanted, wanted / mean) + torch.xlogy(1 - wanted, (1 - wanted) / (1 - mean))
    divergence: Tensor = found.mean()
    return divergence


def relative_l1(latent: Latent) -> Tensor:
    """S of ``l1``: 1 where all units of a scan are equal, 1 / sqrt(D) where one is not zero."""
    values = latent.float()
    length = torch.sqrt(values.pow(2).sum(dim=1) + 1e-12)
    relative: Tensor = (values.abs().sum(dim=1) / length).mean() / values.shape[1] ** 0.5
    return relative


def largest(activations: Latent, kept: int) -> Latent:
    """The `kept` largest of each scan as they are, the others 0."""
    values, places = activations.topk(kept, dim=1)
    return torch.zeros_like(activations).scatter(1, places, values)
