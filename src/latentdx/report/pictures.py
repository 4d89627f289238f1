"""Scans beside their reconstructions, as pictures that lie within a page; volumes by slices."""

from __future__ import annotations

import base64
import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[Any]

SIDES = {1: 192, 3: 128}
"""Largest side of a picture by channels: 12 scans stay under 3 MB, whatever they show."""

_HEAT = ((0, 0, 0), (0.45, 0.07, 0.43), (0.9, 0.36, 0.19), (0.99, 0.86, 0.55))
_LEAST = 0.02


class Triple(NamedTuple):
    """One scan with what became of it: three data URIs."""

    scan: str
    reconstruction: str
    difference: str


def triple(scan: Pixels, rebuilt: Pixels, full: float) -> Triple:
    """A scan (C, *spatial), its reconstruction, and where they differ: by `full`, brightest."""
    flat, made = planes(scan), planes(rebuilt)
    gap = np.abs(flat - made).mean(axis=0) / full
    heat = np.stack([np.interp(gap, (0, 0.33, 0.67, 1), c) for c in zip(*_HEAT, strict=True)])
    return Triple(png(flat), png(made), png(heat))


def brightest(pixels: Pixels, reconstructions: Pixels) -> float:
    """The difference that is drawn brightest, the same for all pictures of a page."""
    gaps = np.abs(pixels - reconstructions)
    return max(_LEAST, float(np.quantile(gaps, 0.998))) if gaps.size else 1.0


def planes(pixels: Pixels) -> Pixels:
    """A scan (C, *spatial) as a picture (C, H, W).

    Of a volume (C, X, Y, Z) in RAS+ the middle axial, coronal and sagittal slices side by side,
    each as a radiologist sees it (see `latentdx.scans.slices`), centred in columns of black.

    Examples
    --------
    >>> planes(np.zeros((1, 8, 9))).shape, planes(np.zeros((1, 8, 9, 10))).shape
    ((1, 8, 9), (1, 10, 27))
    """
    if pixels.ndim < 4:
        return pixels
    slices = [_slice(pixels, axis) for axis in (2, 1, 0)]
    tallest = max(plane.shape[1] for plane in slices)
    padded: list[Pixels] = []
    for plane in slices:
        missing = tallest - plane.shape[1]
        rows = (missing // 2, missing - missing // 2)
        gap = int(len(padded) > 0)
        padded.append(np.pad(plane, ((0, 0), rows, (gap, 0))))
    return np.concatenate(padded, axis=2)


def _slice(volume: Pixels, axis: int) -> Pixels:
    """The middle slice across an axis: head or front up; the right, or the front, on the left."""
    plane: Pixels = np.take(volume, volume.shape[axis + 1] // 2, axis + 1)
    return plane[:, ::-1, ::-1].transpose(0, 2, 1)


def png(image: Pixels) -> str:
    """(C, H, W) in 0..1 as PNG data URI, three channels in colour, else the first in grey.

    Slices that lie side by side may be twice as wide as one picture.
    """
    channels = 3 if len(image) == 3 else 1
    levels = (np.clip(np.nan_to_num(image[:channels]), 0, 1) * 255).round().astype(np.uint8)
    drawn = Image.fromarray(np.moveaxis(levels, 0, -1) if channels == 3 else levels[0])
    side = SIDES[channels]
    drawn.thumbnail((2 * side, side), Image.Resampling.BOX)
    stream = io.BytesIO()
    drawn.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
