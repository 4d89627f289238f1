"""What the outside of a picture says: borders, corners, a ring, grey levels; not its middle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.near_pictures import comparable, reduced
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.features.probe_marks import marks

Floats = NDArray[np.float64]
Pictures = NDArray[np.float32]

BORDER, CORNERS, RING, HISTOGRAM = "border", "corners", "outer ring", "grey levels"
MARKS = "marks near the border"
_BORDER, _CORNER, _RING = 0.08, 0.2, 0.15
"""Shares of the side: how wide the border, a corner, and what is left of a masked picture are."""

_SEGMENTS, _CELLS, _RING_CELLS, _LEVELS = 12, 4, 16, 24


def outside_features(
    collection: Collection, table: CollectionTable, rows: NDArray[np.int64]
) -> Mapping[str, Floats]:
    """Features (N, D) by name of the scans at `rows`.

    Scans are seen as `comparable` makes them: padding cut off, each plane stretched from its
    darkest to its brightest, 64 pixels a side at most.
    """
    parts: list[Mapping[str, Floats]] = []
    start = 0
    for pixels in collection.batches(rows):
        native = table.native_shape[rows[start : start + len(pixels)]]
        start += len(pixels)
        pictures = comparable(pixels, native).astype(np.float32) / np.float32(255)
        parts.append({**of_pictures(pictures), MARKS: marks(pixels)})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def of_pictures(pictures: Pictures) -> Mapping[str, Floats]:
    """The same of pictures (N, P, W, W) in 0..1.

    Examples
    --------
    >>> sorted(of_pictures(np.zeros((2, 1, 32, 32), np.float32)))
    ['border', 'corners', 'grey levels', 'outer ring']
    """
    made = {
        BORDER: _border(pictures),
        CORNERS: _corners(pictures),
        RING: _ring(pictures),
        HISTOGRAM: _histogram(pictures),
    }
    return {name: each.reshape(len(pictures), -1).astype(np.float64) for name, each in made.items()}


def _border(pictures: Pictures) -> Pictures:
    """Means and maxima of twelve stretches of each side."""
    width = max(1, round(_BORDER * pictures.shape[-1]))
    turned = (pictures, pictures.swapaxes(-1, -2))
    strips = np.stack(
        [part for each in turned for part in (each[..., :width, :], each[..., -width:, :])], axis=2
    )
    along = [reduced(line[..., None, :], _SEGMENTS)[..., :1, :] for line in _lines(strips)]
    return np.concatenate(along, axis=-1)


def _lines(strips: Pictures) -> tuple[Pictures, Pictures]:
    return strips.mean(axis=-2), strips.max(axis=-2)


def _corners(pictures: Pictures) -> Pictures:
    """Means of sixteen cells of each corner, its brightest and darkest, and how much it varies."""
    side = max(2, round(_CORNER * pictures.shape[-1]))
    ends = (slice(None, side), slice(-side, None))
    found = np.stack([pictures[..., one, other] for one in ends for other in ends], axis=2)
    cells = reduced(found, min(_CELLS, side)).reshape(*found.shape[:3], -1)
    whole = [found.max(axis=(-2, -1)), found.min(axis=(-2, -1)), found.std(axis=(-2, -1))]
    steps = np.abs(np.diff(found, axis=-1)).max(axis=(-2, -1))
    return np.concatenate([cells, np.stack([*whole, steps], axis=-1)], axis=-1)


def _ring(pictures: Pictures) -> Pictures:
    """Cells of the picture with its middle masked."""
    n_cells = min(_RING_CELLS, pictures.shape[-1])
    cells = reduced(pictures, n_cells)
    place = np.abs((np.arange(n_cells) + 0.5) / n_cells - 0.5)
    outside = np.maximum(place[:, None], place) > 0.5 - _RING
    return cells[..., outside]


def _histogram(pictures: Pictures) -> Pictures:
    """Quantiles of all grey levels."""
    flat = np.sort(pictures.reshape(*pictures.shape[:2], -1), axis=-1)
    places = (np.arange(_LEVELS) + 0.5) / _LEVELS * flat.shape[-1]
    return flat[..., places.astype(np.int64)]
