"""Resolution: Gaussian blur, unsharp mask, and pixels lost and filled in again.

Only the images that were drawn for it are computed, each by its own numbers alone.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from latentdx.collection.augment_draw import Dice, Draw, column
from latentdx.collection.augment_settings import AugmentSettings

_REACH = 3.0  # deviations after which the Gaussian is cut
_STEPS = 4  # factors of lost resolution are drawn in quarters: few sizes, each one pass
_LINEAR = {2: "bilinear", 3: "trilinear"}


def draw_sharpness(dice: Dice, settings: AugmentSettings) -> dict[str, Any]:
    """Blur, sharpen and coarse of a `Draw`, where asked for; no image is blurred and sharpened."""
    found: dict[str, Any] = {}
    blurred, sharpened = (dice.chance(settings.sometimes) for _ in range(2))
    blurred &= settings.blur > 0
    sharpened &= ~blurred & (settings.sharpen > 0)
    if settings.blur or settings.sharpen:
        # not from 0: so narrow a Gaussian changes nothing; a mask of one pixel sharpens
        sigma = dice.between(0.25 * settings.blur, settings.blur)
        found["blur"] = torch.where(blurred, sigma, sharpened.float())
        found["sharpen"] = sharpened * dice.between(0.0, settings.sharpen)
    if settings.coarse > 1:
        factor = (dice.between(1.0, settings.coarse) * _STEPS).round() / _STEPS
        found["coarse"] = torch.where(dice.chance(settings.sometimes), factor, torch.tensor(1.0))
    return found


def resolved(pixels: Tensor, drawn: Draw) -> Tensor:
    """Blurred, sharpened and made coarse as the draw says."""
    if drawn.blur is not None:
        rows = drawn.blur.nonzero()[:, 0]
        amount = None if drawn.sharpen is None else drawn.sharpen[rows]
        pixels = _put(pixels, rows, masked(_take(pixels, rows), drawn.blur[rows], amount))
    if drawn.coarse is not None:
        for factor in drawn.coarse[drawn.coarse > 1].unique().tolist():
            rows = (drawn.coarse == factor).nonzero()[:, 0]
            pixels = _put(pixels, rows, coarsened(_take(pixels, rows), factor))
    return pixels


def _take(pixels: Tensor, rows: Tensor) -> Tensor:
    return pixels[rows.to(pixels.device)]


def _put(pixels: Tensor, rows: Tensor, some: Tensor) -> Tensor:
    return pixels.index_copy(0, rows.to(pixels.device), some) if len(rows) else pixels


def masked(pixels: Tensor, sigma: Tensor, amount: Tensor | None) -> Tensor:
    """Blurred, or where the amount (N,) is above 0 sharpened: p + amount (p - blurred p)."""
    if not len(pixels):
        return pixels
    soft = blurred(pixels, sigma)
    if amount is None or not amount.any():
        return soft
    amount = column(amount, pixels.ndim - 2).to(pixels)
    return torch.where(amount > 0, pixels + amount * (pixels - soft), soft)


def blurred(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Each image (N, C, *spatial) by its own Gaussian of deviation sigma (N,) pixels.

    The border's value goes on outside.

    Examples
    --------
    >>> blurred(torch.ones(2, 1, 8, 8), torch.tensor([0.5, 1.0])).shape
    torch.Size([2, 1, 8, 8])
    """
    half = _gaussians(sigma).to(pixels)
    weights = torch.cat([half[:, 1:].flip(1), half], dim=1)
    for axis in range(2, pixels.ndim):
        pixels = _along(pixels, axis, weights)
    return pixels


def _along(pixels: Tensor, axis: int, weights: Tensor) -> Tensor:
    """Weighted sums along an axis: one grouped convolution of pictures, of volumes' slices too."""
    first = min(axis, pixels.ndim - 2)  # of the two axes of a picture that the axis lies in
    n_pictures = math.prod(pixels.shape[:first])
    reach = weights.shape[1] // 2
    down = axis == first
    padding = [0, 0, reach, reach] if down else [reach, reach, 0, 0]
    pictures = pixels.reshape(1, n_pictures, pixels.shape[first], -1)
    kernels = weights.repeat_interleave(n_pictures // len(weights), dim=0)
    kernels = kernels[:, None, :, None] if down else kernels[:, None, None, :]
    wide = functional.pad(pictures, padding, mode="replicate")
    return functional.conv2d(wide, kernels, groups=n_pictures).reshape(pixels.shape)


def _gaussians(sigma: Tensor) -> Tensor:
    """(N, reach + 1): weights of the middle and of the pixels to either side of it.

    The reach is the widest Gaussian's; beyond its own each has zeros, so that an image is blurred
    the same in any company.
    """
    own = torch.ceil(_REACH * sigma)[:, None]
    away = torch.arange(math.ceil(_REACH * float(sigma.max())) + 1)
    weights = torch.exp(-0.5 * (away / sigma[:, None]) ** 2) * (away <= own)
    return weights / (2 * weights.sum(dim=1, keepdim=True) - weights[:, :1])


def coarsened(pixels: Tensor, factor: float) -> Tensor:
    """Averaged over pixels that are larger by the factor, and filled in again linearly.

    Examples
    --------
    >>> coarsened(torch.ones(1, 1, 12, 12, 5), 3.0).shape
    torch.Size([1, 1, 12, 12, 5])
    """
    size = list(pixels.shape[2:])
    fewer = [max(1, round(side / factor)) for side in size]
    small = functional.interpolate(pixels, size=fewer, mode="area")
    return functional.interpolate(small, size=size, mode=_LINEAR[len(size)])
