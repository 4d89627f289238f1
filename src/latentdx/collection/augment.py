"""Augmentation by batch, drawn first and then applied, so that a draw can be recorded and replayed.

    drawn = draw(len(pixels), VIEWS, generator)      on the CPU, a few numbers an image
    pixels = apply(pixels, drawn)                    on the device of the batch

The order of `apply` is that of a picture's making: another scan's looks, while nothing is cut off,
place (one affine grid, one ``grid_sample``), gain of the scanner, resolution, display (window,
gamma, contrast), noise, negative, box, mixture. What has no strength is left out. Each image's
numbers are its own, and but for mixtures and borrowed looks the others of its batch do not matter.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentdx.collection.augment_borrow import borrowed, draw_borrowed
from latentdx.collection.augment_draw import Dice, Draw
from latentdx.collection.augment_geometry import draw_more_geometry, draw_theta, moved
from latentdx.collection.augment_mix import cut, draw_cutout, draw_mixup, mixed
from latentdx.collection.augment_settings import GEOMETRIC, VIEWS, AugmentSettings, NoiseKind
from latentdx.collection.augment_sharpness import draw_sharpness, resolved
from latentdx.collection.augment_tone import (
    draw_bias,
    draw_window,
    gained,
    negatives,
    noisy,
    toned,
)

__all__ = [
    "GEOMETRIC",
    "VIEWS",
    "AugmentSettings",
    "Draw",
    "NoiseKind",
    "apply",
    "carried",
    "draw",
]


def draw(
    count: int, settings: AugmentSettings, generator: torch.Generator, *, dims: int = 2
) -> Draw:
    """Draw the parameters for ``count`` images, or volumes (`dims` 3).

    The generator is one of the CPU, and gives as many numbers whatever the settings are.
    """
    dice = Dice(count, dims, generator)
    drawn = Draw(
        theta=draw_theta(dice, settings),
        contrast=dice.column(torch.exp(dice.spread(settings.contrast))),
        brightness=dice.column(dice.spread(settings.brightness)),
        gamma=dice.column(torch.exp(dice.spread(settings.gamma))),
        noise=None,
        noise_seed=int(torch.randint(2**31, (1,), generator=generator)),
        noise_kind=settings.noise_kind,
    )
    # a seed that no noise has
    more = Dice(count, dims, torch.Generator().manual_seed(2**31 + drawn.noise_seed))
    return replace(
        draw_more_geometry(drawn, more, settings),
        noise=_draw_noise(more, settings),
        window=draw_window(more, settings),
        bias=draw_bias(more, settings),
        invert=more.chance(settings.invert) if settings.invert else None,
        cutout=draw_cutout(more, settings),
        **draw_sharpness(more, settings),
        **draw_mixup(more, settings),
        **draw_borrowed(more, settings),
    )


def _draw_noise(dice: Dice, settings: AugmentSettings) -> Tensor | None:
    if not settings.noise:
        return None
    ends = settings.noise if isinstance(settings.noise, tuple) else (settings.noise,) * 2
    return dice.column(dice.between(*ends))


def apply(
    pixels: Float[Tensor, "batch channel *spatial"], drawn: Draw
) -> Float[Tensor, "batch channel *spatial"]:
    """Apply a draw to pixels in 0..1 of any size; what comes from outside the image is black.

    Returns new pixels in 0..1, bit for bit the same for the same pixels and draw on the same kind
    of device, under autocast too; differentiable with respect to the pixels.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> pixels = torch.rand(2, 1, 28, 28)
    >>> apply(pixels, draw(2, GEOMETRIC, generator)).shape
    torch.Size([2, 1, 28, 28])
    """
    if len(pixels) != len(drawn) or pixels.ndim != drawn.dims + 2:
        found = f"{len(pixels)} scans of {pixels.ndim - 2} axes"
        raise ValueError(f"drawn for {len(drawn)} scans of {drawn.dims} axes, found {found}")
    # 16 bits would round places to whole pixels
    wide = pixels if pixels.dtype in (torch.float32, torch.float64) else pixels.float()
    with torch.autocast(pixels.device.type, enabled=False):
        wide = moved(borrowed(wide, drawn), drawn)
        wide = resolved(gained(wide, drawn), drawn)
        wide = noisy(toned(wide, drawn), drawn).clamp(0, 1)
        return mixed(cut(negatives(wide, drawn), drawn), drawn).to(pixels.dtype)


def carried(
    masks: Float[Tensor, "batch 1 *spatial"], drawn: Draw
) -> Float[Tensor, "batch 1 *spatial"]:
    """Masks in 0..1 taken where a draw takes the pixels of their scans, and mixed as they are.

    What comes from outside the scan is outside its mask; a mask that is 1 everywhere says nothing
    and stays so.

    Examples
    --------
    >>> masks = torch.zeros(1, 1, 4, 4)
    >>> masks[..., :2] = 1
    >>> drawn = draw(1, AugmentSettings(0, 0, (1, 1), flip=1), torch.Generator().manual_seed(0))
    >>> carried(masks, drawn)[0, 0, 0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    with torch.autocast(masks.device.type, enabled=False):
        is_even = (masks >= 1).flatten(1).all(dim=1)
        placed = moved(masks, drawn).clamp(0, 1)
        placed = torch.where(is_even.reshape(-1, *(1,) * (masks.ndim - 1)), 1.0, placed)
        return mixed(placed, drawn)
