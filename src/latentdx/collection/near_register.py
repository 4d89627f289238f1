"""Pictures laid over each other by scale and shift, and how well they then agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.near_pictures import detail, reduced

Pixels = NDArray[np.float32]

COARSE, FINE = (2.5, 7.0), (0.9, 3.5)
"""Widths of the two blurs whose difference is compared: the first of a side of 64."""

_SMALL = 16
_COARSE_STEPS, _FINE_STEPS = 3, 4
_MARGIN = 3 / 64  # of the side: borders hold what the other picture lacks
_FARTHEST = np.array([0.13, 0.08, 0.13, 0.08], np.float32)
_DAMPING = 0.01


def agreement(first: Pixels, second: Pixels) -> Pixels:
    """(N,) correlations of the fine detail of pictures (N, W, W) in 0..1, after registration.

    The second is scaled (each axis by itself, up to 13 %) and shifted (up to 4 % of the side) onto
    the first: Gauss-Newton on normalised differences with the mean of both gradients (efficient
    second-order minimisation: Benhimane & Malis, IROS 2004), first at 16 pixels a side.

    Examples
    --------
    >>> pictures = np.random.default_rng(0).random((2, 16, 16), dtype=np.float32)
    >>> agreement(pictures, pictures).round(3).tolist()
    [1.0, 1.0]
    """
    return refined(first, second, laid_over(coarse(first), coarse(second))[1])


def coarse(pictures: Pixels) -> Pixels:
    """(..., 16, 16) of pictures (..., W, W) in 0..1: their coarse detail."""
    scale = pictures.shape[-1] / 64
    return reduced(detail(pictures, COARSE[0] * scale, COARSE[1] * scale), _SMALL)


def laid_over(first: Pixels, second: Pixels) -> tuple[Pixels, Pixels]:
    """Of coarse details (N, 16, 16): (N,) how well they agree, and (N, 4) where the second lies."""
    places = np.zeros((len(first), 4), np.float32)
    places = _registered(first, second, places, _COARSE_STEPS)
    return _correlation(first, second, places), places


def refined(first: Pixels, second: Pixels, places: Pixels) -> Pixels:
    """(N,) correlations of fine detail, registered from where `laid_over` put the second."""
    one, other = (detail(pictures, *FINE) for pictures in (first, second))
    return _correlation(one, other, _registered(one, other, places, _FINE_STEPS))


def zoomed(pictures: Pixels, share: float) -> Pixels:
    """The middle `share` of pictures (N, W, W), as large as they are."""
    places = np.zeros((len(pictures), 4), np.float32)
    places[:, ::2] = share - 1
    return _moved(pictures, places)[0]


def _registered(first: Pixels, second: Pixels, places: Pixels, steps: int) -> Pixels:
    """`places` (N, 4): scale less 1 and shift along columns, then rows, in half sides."""
    side = first.shape[-1]
    along = _along(side)
    for _ in range(steps):
        moved, inside = _moved(second, places)
        own, other = _unit(first, inside), _unit(moved, inside)
        slope = (own + other) * np.float32(side / 4)
        down, right = (inside * part for part in np.gradient(slope, axis=(1, 2)))
        slopes = np.stack([right * along, right, down * along[:, None], down], axis=1)
        slopes = slopes.reshape(len(first), 4, -1)
        missing = ((own - other) * inside).reshape(len(first), -1, 1)
        normal = slopes @ slopes.transpose(0, 2, 1)
        damping = _DAMPING * np.trace(normal, axis1=1, axis2=2) / 4 + 1e-6
        normal += damping[:, None, None] * np.eye(4, dtype=np.float32)
        step = np.linalg.solve(normal, slopes @ missing)[..., 0]
        places = np.clip(places + step, -_FARTHEST, _FARTHEST).astype(np.float32)
    return places


def _along(side: int) -> Pixels:
    """Middles of pixels, -1..1."""
    along: Pixels = np.asarray((np.arange(side) + 0.5) / side * 2 - 1, np.float32)
    return along


def _moved(pictures: Pixels, places: Pixels) -> tuple[Pixels, Pixels]:
    """Pictures as seen from `places` (bilinear), and 1 where both are known, borders left out."""
    columns, inside_columns = _weights(places[:, 0], places[:, 1], pictures.shape[-1])
    rows, inside_rows = _weights(places[:, 2], places[:, 3], pictures.shape[-1])
    moved: Pixels = np.asarray(rows @ pictures @ columns.transpose(0, 2, 1), np.float32)
    inside: Pixels = inside_rows[:, :, None] * inside_columns[:, None, :]
    return moved, inside


def _weights(scale: Pixels, shift: Pixels, side: int) -> tuple[Pixels, Pixels]:
    seen = (_along(side) * (1 + scale[:, None]) + shift[:, None] + 1) * (side / 2) - 0.5
    pixel = np.arange(side, dtype=np.float32)
    weights = 1 - np.abs(np.clip(seen, 0, side - 1)[:, :, None] - pixel)
    weights = np.maximum(weights, 0)
    edge = _MARGIN * side
    inside = (seen > edge - 0.5) & (seen < side - 0.5 - edge)
    inside &= (pixel > edge - 0.51) & (pixel < side - 0.49 - edge)
    return weights.astype(np.float32), inside.astype(np.float32)


def _unit(pictures: Pixels, inside: Pixels) -> Pixels:
    length = np.sqrt((pictures * pictures * inside).sum(axis=(1, 2)) + 1e-9)
    unit: Pixels = pictures / length[:, None, None]
    return unit


def _correlation(first: Pixels, second: Pixels, places: Pixels) -> Pixels:
    moved, inside = _moved(second, places)
    count = np.maximum(inside.sum(axis=(1, 2)), 1)
    own, other = (
        (part - ((part * inside).sum(axis=(1, 2)) / count)[:, None, None]) * inside
        for part in (first, moved)
    )
    both = (own * other).sum(axis=(1, 2))
    lengths = (own * own).sum(axis=(1, 2)) * (other * other).sum(axis=(1, 2))
    correlation: Pixels = (both / np.sqrt(lengths + 1e-12)).astype(np.float32)
    return correlation
