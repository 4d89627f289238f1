"""Connected parts of a mask that stand in a line like the glyphs of a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

GLYPHS = 5
"""Fewer glyphs in a line are a side mark or a word such as LEFT, not a name."""

_HEIGHTS = (6, 80)
_MOST_PARTS = 600
_NEIGHBOURS = np.ones((3, 3), np.int8)


@dataclass(frozen=True)
class Line:
    """Where a line lies in its crop, and how many glyphs it has."""

    top: int
    left: int
    bottom: int
    right: int
    n_glyphs: int


@dataclass(frozen=True)
class _Parts:
    """Connected parts, one entry each, sorted from left to right."""

    top: NDArray[np.int64]
    bottom: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    area: NDArray[np.int64]

    @property
    def height(self) -> NDArray[np.int64]:
        return self.bottom - self.top

    @property
    def width(self) -> NDArray[np.int64]:
        return self.right - self.left


def lines_of(crop: Grey, mask: NDArray[Any]) -> Iterator[Line]:
    """Lines of text in a crop whose possible strokes are `mask` (H, W), lighter than the rest."""
    parts = _glyph_like(mask)
    if parts is None:
        return
    for members in _rows(parts):
        line = _line(parts, members)
        if line is not None and _is_drawn(crop, mask, line):
            yield line


def _glyph_like(mask: NDArray[Any]) -> _Parts | None:
    from scipy import ndimage

    labels, n_parts = ndimage.label(mask, _NEIGHBOURS)
    area = np.bincount(labels.ravel(), minlength=n_parts + 1)[1:]
    large = np.flatnonzero(area >= _HEIGHTS[0])  # specks are many, and cost time
    if len(large) < 2:
        return None
    boxes = ndimage.find_objects(labels)
    ends = np.array([(y.start, y.stop, x.start, x.stop) for y, x in map(boxes.__getitem__, large)])
    area = area[large]
    top, bottom, left, right = ends.T
    height, width = bottom - top, right - left
    inside = (top > 0) & (left > 0) & (bottom < mask.shape[0]) & (right < mask.shape[1])
    fill = area / (height * width)
    good = (
        inside
        & (height >= _HEIGHTS[0]) & (height <= _HEIGHTS[1])
        & (width <= 8 * height) & (fill > 0.12) & (fill < 0.95)
    )  # fmt: skip
    # A lone upright stroke (l, I, 1) fills its box.
    good |= inside & (height >= _HEIGHTS[0]) & (height <= _HEIGHTS[1]) & (width * 3 <= height)
    chosen = np.flatnonzero(good)
    if len(chosen) < 2 or len(chosen) > _MOST_PARTS:
        return None
    chosen = chosen[np.argsort(left[chosen])]
    return _Parts(top[chosen], bottom[chosen], left[chosen], right[chosen], area[chosen])


def _rows(parts: _Parts) -> Iterator[NDArray[np.int64]]:
    """Chains of parts, each the nearest to the right of the one before, on one base line."""
    height = parts.height.astype(np.float64)
    taller = np.maximum(height[:, None], height[None])
    shorter = np.minimum(height[:, None], height[None])
    gap = parts.left[None] - parts.right[:, None]
    slack = 0.16 * taller + 1
    even = np.abs(parts.bottom[:, None] - parts.bottom[None]) <= slack
    level = np.abs(parts.top[:, None] - parts.top[None]) <= slack
    follows = (
        (gap >= -0.3 * taller) & (gap <= 1.1 * taller)
        & (parts.left[None] > parts.left[:, None])
        & (shorter >= 0.5 * taller)
        & (even | level)
    )  # fmt: skip
    distance = np.where(follows, gap, np.inf)
    nearest = distance.argmin(axis=1)
    has_next = follows.any(axis=1)
    group = np.arange(len(height))
    for index in np.flatnonzero(has_next):  # left to right: the next part takes on the group
        other = nearest[index]
        if group[other] == other:
            group[other] = group[index]
    for name in np.unique(group):
        yield np.flatnonzero(group == name)


def _line(parts: _Parts, members: NDArray[np.int64]) -> Line | None:
    """The line of some parts, None where they are too few or do not stand on one line."""
    height = float(np.median(parts.height[members]))
    # Glyphs that touch count as many as fit: one is about 0.7 of its height wide, with its gap.
    widths = parts.width[members] / height
    n_glyphs = int(np.maximum(1, np.round(widths / 0.75)).sum())
    if n_glyphs < GLYPHS or len(members) < 2:
        return None
    bottoms, tops = parts.bottom[members], parts.top[members]
    slack = 0.12 * height + 1
    on_base = (np.abs(bottoms - np.median(bottoms)) <= slack).mean()
    on_top = (np.abs(tops - np.median(tops)) <= slack).mean()
    if max(on_base, on_top) < 0.7:
        return None
    left, right = int(parts.left[members].min()), int(parts.right[members].max())
    top, bottom = int(tops.min()), int(bottoms.max())
    if right - left < 2.2 * height or bottom - top > 2.2 * height:
        return None
    return Line(top, left, bottom, right, n_glyphs)


def _is_drawn(crop: Grey, mask: NDArray[Any], line: Line) -> bool:
    """Whether the strokes in the line's box are even, sharp and of one level."""
    area = (slice(line.top, line.bottom), slice(max(0, line.left - 1), line.right + 1))
    strokes, values = mask[area].astype(np.int8), crop[area]
    height = line.bottom - line.top
    change = np.diff(strokes, axis=1, prepend=0, append=0)
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    runs = ends - starts
    if len(runs) < 2 * height:
        return False
    stroke = float(np.median(runs))
    even = (np.abs(runs - stroke) <= 0.5 * stroke + 1).mean()
    inside, outside = values[strokes == 1], values[strokes == 0]
    contrast = float(np.median(inside) - np.median(outside))
    steps = np.abs(np.diff(values, axis=1))[np.diff(strokes, axis=1) != 0]
    sharp = float(np.median(steps)) / max(contrast, 1e-6)
    peak = float(np.percentile(inside, 90))
    level = float((inside > peak - 0.35 * contrast).mean())
    cover = float(strokes.mean())
    quartiles = np.percentile(outside, (25, 75))
    is_plain = float(quartiles[1] - quartiles[0]) <= 0.1 * contrast
    return (
        stroke <= 0.3 * height + 1
        and even >= 0.68
        and contrast >= 0.25
        and sharp >= (0.42 if is_plain else 0.53)
        and level >= (0.2 if sharp >= 0.75 else 0.5)
        and 0.12 <= cover <= 0.6
    )
