"""Grey values: field of gain, display window, gamma, contrast, brightness, noise, negatives.

gain            p exp(b), b smooth                 Sudre et al., SASHIMI 2017, for MR
window          (p - low) / width, cut to 0..1
gaussian        p + s n                            detectors in general
rician          |p + s n + i s m|                  magnitude images: Gudbjartsson & Patz 1995
speckle         p + s p n                          ultrasound
poisson         p + s sqrt(p) n                    few quanta: s^2 is one quantum at white
"""

from __future__ import annotations

import torch
from torch import Tensor

from latentdx.collection.augment_draw import Dice, Draw, column
from latentdx.collection.augment_fields import smooth_field
from latentdx.collection.augment_settings import AugmentSettings

_BLACK = 1e-4  # the slope of a power below 1 is infinite at 0
_POINTS = 4  # a cubic polynomial along each axis


def draw_window(dice: Dice, settings: AugmentSettings) -> Tensor | None:
    """(N, 2): low end and width of a window about the stored one, 0..1."""
    if not settings.window_centre and not settings.window_width:
        return None
    width = torch.exp(dice.spread(settings.window_width))
    centre = 0.5 + dice.spread(settings.window_centre)
    return torch.stack([centre - width / 2, width], dim=1)


def draw_bias(dice: Dice, settings: AugmentSettings) -> Tensor | None:
    """(N, 1, *points): logarithm of the gain, 0 on average."""
    if not settings.bias:
        return None
    control = dice.spread(settings.bias, 1, *(_POINTS,) * dice.dims)
    return control - control.mean(dim=tuple(range(1, control.ndim)), keepdim=True)


def gained(pixels: Tensor, drawn: Draw) -> Tensor:
    """Under the draw's field of gain."""
    if drawn.bias is None:
        return pixels
    return pixels * smooth_field(drawn.bias.to(pixels), pixels.shape[2:]).exp()


def toned(pixels: Tensor, drawn: Draw) -> Tensor:
    """In the draw's window, with its gamma, contrast and brightness."""
    if drawn.window is not None:
        low, width = (column(ends, drawn.dims).to(pixels) for ends in drawn.window.unbind(1))
        pixels = ((pixels - low) / width).clamp(0, 1)
    if _differs(drawn.gamma, 1):
        pixels = pixels.clamp(min=_BLACK).pow(drawn.gamma.to(pixels))
    if _differs(drawn.contrast, 1) or _differs(drawn.brightness, 0):
        # in place after the first step: a pass over memory costs more than its arithmetic
        pixels = (pixels - 0.5).mul_(drawn.contrast.to(pixels))
        pixels = pixels.add_(0.5).add_(drawn.brightness.to(pixels))
    return pixels


def _differs(values: Tensor, neutral: float) -> bool:
    return bool((values != neutral).any())


def noisy(pixels: Tensor, drawn: Draw) -> Tensor:
    """With the draw's noise, whose pixels follow from its seed on each kind of device."""
    if drawn.noise is None:
        return pixels
    generator = torch.Generator(pixels.device).manual_seed(drawn.noise_seed)

    def normal() -> Tensor:
        found = torch.randn(pixels.shape, generator=generator, device=pixels.device)
        return found.to(pixels.dtype)

    noise = normal().mul_(drawn.noise.to(pixels))
    match drawn.noise_kind:
        case "rician":
            return torch.hypot(pixels + noise, normal().mul_(drawn.noise.to(pixels)))
        case "speckle":
            return pixels + noise.mul(pixels)
        case "poisson":
            return pixels + noise.mul(pixels.clamp(min=_BLACK).sqrt())
        case "gaussian":
            return noise.add_(pixels)


def negatives(pixels: Tensor, drawn: Draw) -> Tensor:
    """Those drawn as negatives inverted; pixels have to be in 0..1."""
    if drawn.invert is None:
        return pixels
    return torch.where(column(drawn.invert, drawn.dims).to(pixels.device), 1 - pixels, pixels)
