"""``python -m benchmarks.augmentation``: docs/images/augmentation.png, a phantom under each preset.

A row a preset: the phantom as it is, then views of it.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw

from benchmarks.machine import ROOT
from latentdx.collection.augment import apply, draw
from latentdx.collection.augment_presets import PRESETS, PresetName
from latentdx.collection.phantoms import PhantomSettings, draw_phantom

PICTURE = ROOT / "docs" / "images" / "augmentation.png"
SHOWN: tuple[PresetName, ...] = ("any", "xray", "ct", "mr", "ultrasound")
SIDE, N_VIEWS, GAP, WORDS = 84, 5, 4, 72


def main() -> None:
    drawn = draw_phantom(3, settings=PhantomSettings(size=140)).pixels
    top, left = ((side - SIDE) // 2 for side in drawn.shape)
    phantom = torch.from_numpy(drawn[top : top + SIDE, left : left + SIDE].copy())[None, None]
    rows = [row(phantom, name, number) for number, name in enumerate(SHOWN)]
    sheet = Image.new("L", (rows[0].width, (rows[0].height + GAP) * len(rows) - GAP), 255)
    for number, picture in enumerate(rows):
        sheet.paste(picture, (0, number * (picture.height + GAP)))
    sheet.quantize(32).save(PICTURE, optimize=True)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} KiB")


def row(phantom: torch.Tensor, name: PresetName, seed: int) -> Image.Image:
    generator = torch.Generator().manual_seed(seed)
    views = apply(phantom.repeat(N_VIEWS, 1, 1, 1), draw(N_VIEWS, PRESETS[name], generator))
    tiles = [np.uint8(tile * 255) for tile in torch.cat([phantom, views])[:, 0].numpy()]
    gap = np.full((SIDE, GAP), 255, np.uint8)
    strip = np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)
    picture = Image.new("L", (WORDS + strip.shape[1], SIDE), 255)
    picture.paste(Image.fromarray(strip), (WORDS, 0))
    ImageDraw.Draw(picture).text((2, SIDE // 2 - 6), name, fill=0)
    return picture


if __name__ == "__main__":
    main()
