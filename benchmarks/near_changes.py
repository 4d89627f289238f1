"""Changed copies of a picture: what `benchmarks.near_duplicates` plants."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.float32]
Draw = np.random.Generator
Change = Callable[[Picture, Draw], Picture]


def mirrored(picture: Picture, _: Draw) -> Picture:
    """Left to right."""
    return picture[:, ::-1]


def upside_down(picture: Picture, _: Draw) -> Picture:
    """Top to bottom."""
    return picture[::-1]


def cropped(picture: Picture, draw: Draw) -> Picture:
    """Up to 5 % off each side, each drawn by itself."""
    rows, columns = picture.shape
    top, bottom = (draw.uniform(0, 0.05, 2) * rows).round().astype(int)
    left, right = (draw.uniform(0, 0.05, 2) * columns).round().astype(int)
    return picture[top : rows - bottom, left : columns - right]


def recompressed(picture: Picture, draw: Draw) -> Picture:
    """JPEG of quality 30 to 90, 8 bits."""
    stream = io.BytesIO()
    _image(picture).save(stream, "JPEG", quality=int(draw.integers(30, 91)))
    return _array(Image.open(stream))


def brightened(picture: Picture, draw: Draw) -> Picture:
    """By 5 to 20 % up or down: added, or multiplied; cut at black and white."""
    change = float(draw.uniform(0.05, 0.2) * draw.choice([-1, 1]))
    changed = picture + change if draw.random() < 0.5 else picture * (1 + change)
    return np.asarray(np.clip(changed, 0, 1), np.float32)


def contrasted(picture: Picture, draw: Draw) -> Picture:
    """Gamma .6 to 1.7, then contrast .7 to 1.3; cut at black and white."""
    gamma = float(np.exp(draw.uniform(np.log(0.6), np.log(1.7))))
    contrast = float(draw.uniform(0.7, 1.3))
    return np.asarray(np.clip((picture**gamma - 0.5) * contrast + 0.5, 0, 1), np.float32)


def resized(picture: Picture, draw: Draw) -> Picture:
    """To .3 to .75 of the side; pictures of at most 100 pixels to .5 at least."""
    least = 0.3 if max(picture.shape) > 100 else 0.5
    share = draw.uniform(least, 0.75)
    rows, columns = (max(8, round(side * share)) for side in picture.shape)
    return _array(_image(picture).resize((columns, rows), Image.Resampling.LANCZOS))


def noisy(picture: Picture, draw: Draw) -> Picture:
    """Gaussian noise of .01 to .03."""
    grain = draw.normal(0, draw.uniform(0.01, 0.03), picture.shape)
    return np.asarray(np.clip(picture + grain, 0, 1), np.float32)


CHANGES: dict[str, Change] = {
    "mirrored": mirrored,
    "upside down": upside_down,
    "cropped": cropped,
    "recompressed": recompressed,
    "brightness": brightened,
    "contrast, gamma": contrasted,
    "resized": resized,
    "noise": noisy,
}
KINDS: list[tuple[str, ...]] = [*((name,) for name in CHANGES), *combinations(CHANGES, 2)]


def changed(picture: Picture, kind: tuple[str, ...], draw: Draw) -> Picture:
    """One after the other."""
    for name in kind:
        picture = CHANGES[name](picture, draw)
    return np.ascontiguousarray(picture, np.float32)


def _image(picture: Picture) -> Image.Image:
    return Image.fromarray((picture * 255).round().astype(np.uint8))


def _array(image: Image.Image) -> Picture:
    return np.asarray(image.convert("L"), np.float32) / np.float32(255)
