"""Masks go where the pixels of their scans go."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from augment_everything import EVERYTHING

from latentdx.collection.augment import VIEWS, AugmentSettings, apply, carried, draw

MOVES = AugmentSettings(
    *(20.0, 0.1, (0.8, 1.5)),
    flip=0.5,
    flip_rows=0.3,
    flip_slices=0.3,
    tilt=10.0,
    shear=0.1,
    elastic=0.05,
    mixup=0.4,
)


@pytest.mark.parametrize("shape", [(12, 1, 16, 16), (12, 1, 11, 17), (12, 1, 9, 8, 10)])
def test_a_mask_is_carried_where_the_pixels_go(shape: tuple[int, ...]) -> None:
    masks = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    for settings in (MOVES, EVERYTHING):
        drawn = draw(shape[0], settings, torch.Generator().manual_seed(1), dims=len(shape) - 2)
        still = replace(drawn, cutout=None, blur=None, sharpen=None, coarse=None, bias=None)
        placed = replace(
            *(still,),
            **dict.fromkeys(("window", "invert", "donor", "amplitude", "style", "noise")),
            contrast=torch.ones_like(drawn.contrast),
            brightness=torch.zeros_like(drawn.brightness),
            gamma=torch.ones_like(drawn.gamma),
        )
        torch.testing.assert_close(carried(masks, drawn), apply(masks, placed))


def test_a_mask_that_is_everywhere_stays_everywhere() -> None:
    masks = torch.ones(6, 1, 16, 16)
    masks[3:, :, :8] = 0
    drawn = draw(6, VIEWS, torch.Generator().manual_seed(0))
    found = carried(masks, drawn)
    assert (found[:3] == 1).all()
    assert (found[3:] < 1).flatten(1).any(dim=1).all()
    assert (found >= 0).all()
    assert (found <= 1).all()
