"""How another scan of the batch looks, without what it shows: for sites that are not there yet.

fourier: F + s (|F_d| - |F|) F / |F|    the amplitudes of a donor d, the scan's own phases: Xu et
         al., "A Fourier-based framework for domain generalization", CVPR 2021
style:   p + s (curve(p) - p)           its grey levels, by a monotone curve (`grey_levels`)
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentdx.collection.augment_draw import Dice, Draw, column
from latentdx.collection.augment_settings import AugmentSettings
from latentdx.collection.grey_levels import landmarks, regraded

_GRAIN = 1e-3  # deviation that 8 bits leave open: a frequency below it has no phase to speak of

Pixels = Float[Tensor, "batch channel *spatial"]


def draw_borrowed(dice: Dice, settings: AugmentSettings) -> dict[str, Any]:
    """Donor, and shares of its amplitudes and grey levels, of a `Draw`, where asked for."""
    if not settings.fourier and not settings.style:
        return {}
    found: dict[str, Any] = {"donor": torch.randperm(dice.count, generator=dice.generator)}
    amplitude, style = (dice.rand() for _ in range(2))
    if settings.fourier:
        found["amplitude"] = settings.fourier * amplitude
    if settings.style:
        found["style"] = settings.style * style
    return found


def borrowed(pixels: Pixels, drawn: Draw) -> Pixels:
    """With the draw's shares of the donors' grey levels and amplitudes, in 0..1."""
    if drawn.donor is None:
        return pixels
    donor = drawn.donor.to(pixels.device)
    if drawn.style is not None:
        share = column(drawn.style, drawn.dims).to(pixels)
        levels = landmarks(pixels)
        pixels = pixels + share * (regraded(pixels, levels, levels[donor]) - pixels)
    if drawn.amplitude is not None:
        share = column(drawn.amplitude, drawn.dims).to(pixels)
        pixels = with_amplitudes(pixels, donor, share).clamp(0, 1)
    return pixels


def with_amplitudes(
    pixels: Pixels, donor: Int[Tensor, " batch"], share: Float[Tensor, "batch 1 *ones"]
) -> Pixels:
    """Each scan with a share of the amplitudes of its donor; its phases stay.

    Every channel by itself. A frequency that the scan does not have is not put in.

    Examples
    --------
    >>> pixels = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> found = with_amplitudes(pixels, torch.tensor([1, 0]), torch.ones(2, 1, 1, 1))
    >>> bool((found.mean(dim=(1, 2, 3)) - pixels.flip(0).mean(dim=(1, 2, 3))).abs().max() < 1e-3)
    True
    """
    axes, size = tuple(range(2, pixels.ndim)), pixels.shape[2:]
    own = torch.fft.rfftn(pixels, dim=axes)
    amplitude = own.abs()
    floor = _GRAIN * math.sqrt(math.prod(size))
    phase = own / torch.sqrt(own.real.square() + own.imag.square() + floor**2)
    mixed = own + share * (amplitude[donor] - amplitude) * phase
    found: Tensor = torch.fft.irfftn(mixed, s=size, dim=axes)
    return found
