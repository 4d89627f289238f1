"""Where a picture holds a line of drawn text: sharp, even strokes of one level in a row.

Text that software draws into pixels has edges of one pixel where anatomy is smooth. So the picture
is first searched, in tiles, for many sharp steps from column to column; only what lies there is cut
into connected parts, and parts become a line where they stand in a row, are alike in height, and
have strokes of one width and one level. Nothing is learned, and nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.text_likeness_lines import GLYPHS, Line, lines_of

Grey = NDArray[np.float32]

SMALLEST = 96
"""Sides below this many pixels leave no legible text."""

_STEP = 0.2  # a sharp step between neighbouring columns, of the whole range 0..1
_TILE = (8, 16)  # rows, columns
_STEPS_PER_TILE = 8  # up, and as many down
_LEVELS = (25, 50, 75)  # percentiles of the values in the middle of sharp steps
_WIDE = 60_000  # pixels of a region that is texture all over: only its extreme levels are tried
_ROWS = 4  # of a line, at the least
_MARGIN = (12, 6)  # rows, columns
_MOST_REGIONS = 64


@dataclass(frozen=True)
class Box:
    """Rows top..bottom and columns left..right (ends not included) of a picture."""

    top: int
    left: int
    bottom: int
    right: int


def find_text(pixels: Grey) -> list[Box]:
    """Boxes around lines of at least five glyphs in a grey picture (H, W) of values 0..1.

    Upright, horizontal text of glyphs some 7 to 80 pixels tall, light on dark or dark on light, at
    the scan's native resolution: text that was blurred by resizing is missed. Pictures with a
    side under `SMALLEST` have no boxes.

    Examples
    --------
    >>> find_text(np.zeros((128, 128), np.float32))
    []
    """
    if min(pixels.shape) < SMALLEST:
        return []
    found = [*_boxes(pixels, 1), *_boxes(_third(pixels), 3)]
    return list(dict.fromkeys(found))


def _boxes(pixels: Grey, scale: int) -> Iterator[Box]:
    for region in _regions(pixels):
        for line in _lines_in(pixels, region):
            yield Box(
                scale * (region.top + line.top),
                scale * (region.left + line.left),
                scale * (region.top + line.bottom),
                scale * (region.left + line.right),
            )


def _third(pixels: Grey) -> Grey:
    """Means of 3 x 3 pixels: tall text becomes small, in a ninth of the pixels."""
    height, width = (side // 3 for side in pixels.shape)
    rows = pixels[: height * 3, : width * 3].reshape(height, 3, width * 3)
    columns = rows[:, 0] + rows[:, 1] + rows[:, 2]
    small: Grey = columns[:, 0::3] + columns[:, 1::3] + columns[:, 2::3]
    small *= np.float32(1 / 9)
    return small


def _regions(pixels: Grey) -> Iterator[Box]:
    """Groups of neighbouring tiles with many sharp steps, wide enough for a line."""
    change = pixels[:, 1:] - pixels[:, :-1]
    up = change > _STEP
    if np.count_nonzero(up) < 2 * _STEPS_PER_TILE:
        return  # two tiles are the least, and counting is far quicker than tiling
    rising = _per_tile(up) >= _STEPS_PER_TILE
    if not rising.any():
        return
    # A stroke has a step up and a step down: the rim of an organ has one of the two.
    hot = rising & (_per_tile(change < -_STEP) >= _STEPS_PER_TILE)
    if not hot.any():
        return
    # A line is at least two tiles long; what stands alone is the side of an organ.
    in_row = np.zeros_like(hot)
    in_row[:, 1:] = hot[:, 1:] & hot[:, :-1]
    in_row[:, :-1] |= in_row[:, 1:]
    joined = in_row.copy()
    joined[:, 1:] |= in_row[:, :-1]
    joined[:, :-1] |= in_row[:, 1:]
    for down, across in _connected(joined)[:_MOST_REGIONS]:
        if across.stop - across.start > 1:
            yield _around(down, across, pixels.shape)


def _connected(tiles: NDArray[np.bool_]) -> list[tuple[slice, slice]]:
    """Rows and columns of each group of tiles that touch by their sides, from the top.

    A few tiles among some thousand: scipy would take a third of a second to import for them.
    """
    left = {(int(row), int(column)) for row, column in np.argwhere(tiles)}
    found = []
    for start in sorted(left):
        group, edge = [], [start] if start in left else []
        left.discard(start)
        while edge:
            row, column = edge.pop()
            group.append((row, column))
            beside = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)}
            edge += beside & left
            left -= beside
        if group:
            rows, columns = zip(*group, strict=True)
            found.append((slice(min(rows), max(rows) + 1), slice(min(columns), max(columns) + 1)))
    return found


def _per_tile(steps: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """How many are True in each tile."""
    rows, columns = (side // tile for side, tile in zip(steps.shape, _TILE, strict=True))
    cut = steps[: rows * _TILE[0], : columns * _TILE[1]].view(np.uint8)
    in_column = cut.reshape(rows, _TILE[0], -1).sum(axis=1, dtype=np.uint8)
    counts: NDArray[np.uint16] = in_column.reshape(rows, columns, _TILE[1]).sum(2, dtype=np.uint16)
    return counts


def _around(down: slice, across: slice, shape: tuple[int, ...]) -> Box:
    """The pixels of some tiles and a margin; whole tiles end before the picture does."""
    bottom, right = down.stop * _TILE[0] + _MARGIN[0], across.stop * _TILE[1] + _MARGIN[1]
    return Box(
        max(0, down.start * _TILE[0] - _MARGIN[0]),
        max(0, across.start * _TILE[1] - _MARGIN[1]),
        shape[0] if bottom + _TILE[0] > shape[0] else bottom,
        shape[1] if right + _TILE[1] > shape[1] else right,
    )


def _lines_in(pixels: Grey, region: Box) -> Iterator[Line]:
    crop = pixels[region.top : region.bottom, region.left : region.right]
    change = crop[:, 1:] - crop[:, :-1]
    # Every row through a line meets a step up at each of its glyphs.
    rises = (change > _STEP).sum(axis=1)
    if (rises >= GLYPHS - 1).sum() < _ROWS:
        return
    steps = np.abs(change) > _STEP
    low, middle, high = np.percentile((crop[:, :-1] + crop[:, 1:])[steps] / 2, _LEVELS).tolist()
    wide = crop.size > _WIDE
    for level in (high,) if wide else sorted({low, middle, high}):
        yield from lines_of(crop, crop > level)
    for level in (low,) if wide else sorted({low, middle, high}):
        yield from lines_of(1 - crop, crop < level)
