"""Scans side by side on one picture, as a PNG file."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

Levels = NDArray[np.uint8]

_SLICES = 8  # of a volume
_LEAST = 96  # pixels of a shown scan's shorter side: small scans are enlarged
_GAP = 2
_PAPER = 255


def picture_grid(pixels: NDArray[Any], columns: int | None = None, *, told: str = "") -> bytes:
    """PNG of scans (N, C, *spatial) in 0..1, `columns` of them in a row.

    Three channels are drawn in colour, else the first in grey. Of a volume (C, X, Y, Z) in RAS+ up
    to eight axial slices lie in a row, from the feet up, front up. Small scans are enlarged by a
    whole factor, pixel by pixel. By default images make a square, and each volume has its own row.
    `told` is written into the file as its description. Values that are not finite become 0.

    Examples
    --------
    >>> picture_grid(np.zeros((3, 1, 28, 28)))[1:4]
    b'PNG'
    """
    tiles = [_tile(scan) for scan in np.asarray(pixels, np.float32)]
    if columns is None:
        columns = 1 if pixels.ndim == 5 else math.ceil(math.sqrt(len(tiles)))
    empty = np.full_like(tiles[0], _PAPER)
    tiles += [empty] * (-len(tiles) % columns)
    rows = [_joined(tiles[k : k + columns], 1) for k in range(0, len(tiles), columns)]
    described = PngInfo()
    if told:
        described.add_text("Description", told)
    stream = io.BytesIO()
    Image.fromarray(_joined(rows, 0)).save(stream, "PNG", pnginfo=described)
    return stream.getvalue()


def _tile(scan: NDArray[np.float32]) -> Levels:
    """One scan (C, *spatial) as (H, W), or (H, W, 3) in colour."""
    shown = scan[:3] if len(scan) == 3 else scan[:1]
    levels = np.rint(np.clip(np.nan_to_num(shown), 0, 1) * 255).astype(np.uint8)
    if scan.ndim == 3:
        return _enlarged(levels)
    depth = scan.shape[3]
    count = min(_SLICES, depth)
    chosen = [int((k + 0.5) * depth / count) for k in range(count)]
    return _joined([_enlarged(np.rot90(levels[..., z], axes=(1, 2))) for z in chosen], 1)


def _enlarged(levels: Levels) -> Levels:
    factor = max(1, math.ceil(_LEAST / min(levels.shape[1:])))
    large = levels.repeat(factor, axis=1).repeat(factor, axis=2)
    return large[0] if len(large) == 1 else np.moveaxis(large, 0, -1)


def _joined(parts: list[Levels], axis: int) -> Levels:
    """Side by side with a gap between."""
    shape = list(parts[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, _PAPER, np.uint8)
    return np.concatenate([part for one in parts for part in (gap, one)][1:], axis=axis)
