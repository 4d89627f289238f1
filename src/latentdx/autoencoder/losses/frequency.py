"""The loss that compares spectra: what a network finds hard to draw counts more."""

from __future__ import annotations

import torch
from torch import Tensor

from latentdx.autoencoder.losses.exact import Images, in_32_bits

_SMALLEST = 1e-12


@in_32_bits
def focal_frequency(reconstruction: Images, scan: Images) -> Tensor:
    """Mean over frequencies of ``w |F(reconstruction) - F(scan)|^2`` (a scalar).

    F is the unitary Fourier transform over all spatial axes. The weight w of a frequency is the
    amplitude of its error as a share of the largest in that image and channel, and is not
    differentiated: frequencies that are already right are let go. With w = 1 it would be the mean
    squared error, by Parseval.

    Jiang, Dai, Wu & Loy, "Focal frequency loss for image reconstruction and synthesis", ICCV 2021.

    Examples
    --------
    >>> scan = torch.zeros(1, 1, 8, 8)
    >>> round(float(focal_frequency(scan + 0.5, scan)), 6)  # one frequency: the mean alone
    0.25
    """
    axes = tuple(range(2, scan.ndim))
    spectrum = torch.fft.rfftn(reconstruction - scan, dim=axes, norm="ortho")
    power = spectrum.real**2 + spectrum.imag**2
    largest = power.detach().amax(dim=axes, keepdim=True).clamp(min=_SMALLEST)
    focus = (power.detach() / largest).sqrt()
    loss: Tensor = (focus * power * _occurrences(scan)).sum() / scan.numel()
    return loss


def _occurrences(scan: Tensor) -> Tensor:
    """How often each frequency of the half spectrum stands in the whole one: once or twice."""
    side = scan.shape[-1]
    counts = torch.full((side // 2 + 1,), 2.0, device=scan.device)
    counts[0] = 1
    if side % 2 == 0:
        counts[-1] = 1
    return counts
