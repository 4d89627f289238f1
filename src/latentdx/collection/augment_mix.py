"""What covers or joins scans: boxes cut out, and mixtures of two scans of a batch.

cutout: DeVries & Taylor, "Improved regularization of convolutional neural networks with
        cutout", 2017. Black here, whatever the scan's mean.
mixup:  share p_i + (1 - share) p_partner(i); Zhang et al., ICLR 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentdx.collection.augment_draw import Dice, Draw, column
from latentdx.collection.augment_settings import AugmentSettings


def draw_cutout(dice: Dice, settings: AugmentSettings) -> Tensor | None:
    """(N, dims, 2): ends of a box along each axis; an empty one where none is drawn."""
    if not settings.cutout:
        return None
    middle = dice.rand(dice.dims)
    half = dice.rand(dice.dims) * settings.cutout / 2
    half = torch.where(dice.chance(settings.sometimes)[:, None], half, torch.tensor(0.0))
    return torch.stack([middle - half, middle + half], dim=2)


def cut(pixels: Tensor, drawn: Draw) -> Tensor:
    """With the draw's boxes in black."""
    if drawn.cutout is None:
        return pixels
    count, _, *size = pixels.shape
    inside = torch.ones(count, *(1,) * (len(size) + 1), dtype=torch.bool, device=pixels.device)
    for axis, side in enumerate(size):
        low, high = drawn.cutout[:, axis].to(pixels.device).unbind(1)
        place = (torch.arange(side, device=pixels.device) + 0.5) / side
        covered = (place >= low[:, None]) & (place < high[:, None])
        ones = [1] * len(size)
        ones[axis] = side
        inside = inside & covered.reshape(count, 1, *ones)
    return pixels.masked_fill(inside, 0)


def draw_mixup(dice: Dice, settings: AugmentSettings) -> dict[str, Any]:
    """Partner and share of a `Draw`, where asked for."""
    if not settings.mixup:
        return {}
    partner = torch.randperm(dice.count, generator=dice.generator)
    seed = int(torch.randint(2**31, (1,), generator=dice.generator))
    share = np.random.default_rng(seed).beta(settings.mixup, settings.mixup, dice.count)
    return {"partner": partner, "share": torch.from_numpy(share.astype(np.float32))}


def mixed(pixels: Tensor, drawn: Draw) -> Tensor:
    """Each scan with its partner."""
    if drawn.partner is None or drawn.share is None:
        return pixels
    share = column(drawn.share, drawn.dims).to(pixels)
    return share * pixels + (1 - share) * pixels[drawn.partner.to(pixels.device)]
