"""Gaussian latents: a posterior with a diagonal covariance, its KL divergence, and its schedule.

    q(z | x) = N(m(x), diag(exp(v(x)))),   p(z) = N(0, I)
    KL(q || p) = sum over units of (m^2 + exp(v) - 1 - v) / 2     in nats

Kingma & Welling, "Auto-encoding variational Bayes", ICLR 2014.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Vectors = Float[Tensor, "batch unit"]

_LARGEST = 10.0  # of |log variance|: its exponential stays finite, also in the first steps


class Posterior(NamedTuple):
    """Mean and log variance (N, D) each, in 32 bits."""

    mean: Vectors
    log_variance: Vectors

    def draw(self, generator: torch.Generator) -> Vectors:
        """A latent for each scan, with gradients to mean and variance (reparametrised)."""
        noise = standard_normal(self.mean.shape, generator, device=self.mean.device)
        return self.mean + torch.exp(self.log_variance / 2) * noise

    def divergence(self) -> Vectors:
        """KL(q || p) of each unit of each scan, in nats."""
        squares = self.mean.square() + self.log_variance.exp()
        return (squares - 1 - self.log_variance) / 2


def posterior(parameters: Float[Tensor, "batch two_unit"]) -> Posterior:
    """The first half of an encoder's output is the mean, the second the log variance.

    Examples
    --------
    >>> posterior(torch.zeros(1, 6)).divergence().sum().item()
    0.0
    """
    mean, log_variance = parameters.float().chunk(2, dim=1)
    return Posterior(mean, log_variance.clamp(-_LARGEST, _LARGEST))


def standard_normal(
    shape: tuple[int, ...], generator: torch.Generator, *, device: torch.device
) -> Tensor:
    """N(0, 1) drawn on the processor, so that the numbers are the same for every device."""
    return torch.randn(*shape, generator=generator).to(device)


def total_divergence(divergence: Vectors, *, free_nats: float = 0.0) -> Tensor:
    """KL of a scan, in nats (a scalar): the mean over the batch, summed over the units.

    A unit whose mean is below `free_nats` counts as `free_nats` and is not pressed further
    ("free bits"): it may carry that much for nothing, which keeps it from collapsing.
    Kingma et al., "Improved variational inference with inverse autoregressive flow", NeurIPS 2016.

    Examples
    --------
    >>> total_divergence(torch.tensor([[0.1, 2.0], [0.3, 4.0]]), free_nats=0.5).item()
    3.5
    """
    return divergence.mean(dim=0).clamp(min=free_nats).sum()


def kl_scale(reconstruction: object, noise: float, n_pixels: int) -> float:
    """What makes KL, a sum in nats, and a reconstruction loss, a mean over pixels, one ELBO.

    ``bce``: ``1 / n_pixels``. All others, as for ``mse``: ``2 noise^2 / n_pixels``, of pixels with
    Gaussian errors of that standard deviation.

    Examples
    --------
    >>> kl_scale("bce", 0.1, 100), round(kl_scale("mse", 0.1, 100), 6)
    (0.01, 0.0002)
    """
    return (1.0 if reconstruction == "bce" else 2 * noise**2) / n_pixels


def warm_up(progress: float, share: float, *, cycles: int = 1) -> float:
    """Weight 0..1 after `progress` (0..1) of a training: a linear rise, then 1, in each cycle.

    `share` of each of `cycles` equal parts of the training is spent on the rise. One cycle is the
    usual linear warm-up (Bowman et al., CoNLL 2016); several are the cyclical annealing of
    Fu et al., "Cyclical annealing schedule", NAACL 2019. At the end of the training it is 1.

    Examples
    --------
    >>> [warm_up(at / 8, 0.5) for at in (0, 2, 4, 8)]
    [0.0, 0.5, 1.0, 1.0]
    >>> [warm_up(at / 8, 0.5, cycles=2) for at in (0, 1, 2, 4, 5, 8)]
    [0.0, 0.5, 1.0, 0.0, 0.5, 1.0]
    """
    if progress >= 1 or share <= 0:
        return 1.0
    return min(1.0, progress * cycles % 1 / share)


def active_units(means: Vectors) -> float:
    """Share of the units whose posterior mean varies between scans: variance above 0.01.

    Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.
    """
    return (means.float().var(dim=0, correction=0) > 0.01).float().mean().item()
