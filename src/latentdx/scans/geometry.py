"""Size: every scan becomes a square without being squashed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentdx.scans.own_mask import stacked, unstacked
from latentdx.scans.scan import Scan

Pixels = NDArray[np.float32]


def fit_square(pixels: Pixels, size: int) -> Pixels:
    """(C, H, W) to (C, size, size): aspect kept, padded centrally with 0.

    The longest side becomes `size`: smaller by Lanczos resampling (anti-aliased, clipped to 0..1),
    larger by bilinear interpolation. An image that already fits comes back unchanged.

    Examples
    --------
    >>> fit_square(np.ones((1, 40, 20), np.float32), 10)[0, 5].tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    height, width = _inner_shape(pixels.shape[1:], size)
    if pixels.shape[1:] == (size, size):
        return pixels
    top, left = (size - height) // 2, (size - width) // 2
    fitted = np.zeros((len(pixels), size, size), np.float32)
    for source, target in zip(pixels, fitted, strict=True):
        target[top : top + height, left : left + width] = _resize(source, height, width)
    return fitted


def fit_scan(scan: Scan, size: int) -> Scan:
    """The scan with pixels (C, size, size), its spacing scaled, and the change recorded."""
    native = scan.pixels.shape[1:]
    if native == (size, size):
        return scan
    height, width = _inner_shape(native, size)
    done = []
    if (height, width) != native:
        done.append(f"resized {native[0]}x{native[1]} to {height}x{width}")
    if height != width:
        done.append(f"padded to {size}x{size}")
    return unstacked(
        scan,
        fit_square(stacked(scan), size),
        spacing_mm=_scaled(scan.spacing_mm, native[0] / height, native[1] / width),
        conversions=(*scan.conversions, *done),
    )


def _inner_shape(native: tuple[int, ...], size: int) -> tuple[int, int]:
    """Height and width of the picture inside the square, at least one pixel each."""
    scale = size / max(native)
    height, width = (max(1, round(side * scale)) for side in native)
    return height, width


def _scaled(
    spacing: tuple[float, ...] | None, rows: float, columns: float
) -> tuple[float, ...] | None:
    return spacing and (spacing[0] * rows, spacing[1] * columns)


def _resize(channel: Pixels, height: int, width: int) -> Pixels:
    if channel.shape == (height, width):
        return channel
    image = Image.fromarray(np.ascontiguousarray(channel, np.float32))
    if max(height, width) > max(channel.shape):
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
    else:
        # The gap lets Pillow first halve large images with a box: far faster, same picture.
        resized = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(resized, np.float32).clip(0, 1)
