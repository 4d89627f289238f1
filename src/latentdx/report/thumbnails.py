"""Scans as small pictures that lie within a page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def thumbnail(pixels: NDArray[Any], side: int = 96) -> str:
    """PNG as data URI of a scan (C, *spatial) in 0..1, its longer side at most `side` pixels.

    Three channels are drawn in colour, else the first in grey. Of a volume (C, X, Y, Z) in RAS+ it
    is the middle axial slice, front up. Small scans stay as small as they are. Values that are not
    finite become 0.

    Examples
    --------
    >>> thumbnail(np.zeros((1, 8, 8)))[:22]
    'data:image/png;base64,'
    """
    image = _plane(np.asarray(pixels, np.float32))
    channels = 3 if len(image) == 3 else 1
    levels = (np.clip(np.nan_to_num(image[:channels]), 0, 1) * 255).round().astype(np.uint8)
    drawn = Image.fromarray(np.moveaxis(levels, 0, -1) if channels == 3 else levels[0])
    drawn.thumbnail((side, side), Image.Resampling.BOX)
    stream = io.BytesIO()
    drawn.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _plane(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    if pixels.ndim == 4:
        return np.rot90(pixels[..., pixels.shape[3] // 2], axes=(1, 2))
    return pixels
