"""Pictures with drawn text, and the like without: what the finder of burned-in text is tried on."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

LINES = ("DOE^JANE", "Smith, John", "17/12/1965", "ID: 7862110", "KOWALSKI ANNA 1967-07-13")


@functools.cache
def anatomy(size: int, seed: int = 0) -> np.ndarray:
    """A smooth picture (size, size) with soft rims and some noise, values 0..1."""
    rng = np.random.default_rng(seed)
    field = ndimage.zoom(rng.standard_normal((16, 16)), size / 16, order=3)
    field = (field - field.min()) / (field.max() - field.min())
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    body = 1 / (1 + np.exp(40 * (np.hypot(rows, columns * 1.2) - 0.8)))
    noisy = 0.75 * field * body + 0.02 * rng.standard_normal((size, size))
    return np.clip(noisy, 0, 1).astype(np.float32)


def font_of(height: int) -> ImageFont.FreeTypeFont:
    """The font that Pillow ships with, its capitals `height` pixels tall."""
    for size in range(height, 3 * height):
        font = ImageFont.load_default(size)
        _, top, _, bottom = font.getbbox("H")
        if bottom - top >= height:
            return font
    raise AssertionError(height)


def draw(
    pixels: np.ndarray, text: str, height: int, *, at: tuple[int, int], style: str = "white"
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The picture with a line of text, and the line's (top, left, bottom, right).

    `style`: ``white``, ``black`` (no box under it), ``whitebox`` (white on black), ``blackbox``.
    """
    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    pen, font = ImageDraw.Draw(image), font_of(height)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    row, column = at
    box = row, column, row + bottom - top, column + right - left
    if style.endswith("box"):
        fill = 0 if style == "whitebox" else 255
        pen.rectangle((column - 4, row - 4, box[3] + 4, box[2] + 4), fill=fill)
    ink = 255 if style.startswith("white") else 0
    pen.text((column - left, row - top), text, font=font, fill=ink)
    return np.asarray(image, np.float32) / 255, box
