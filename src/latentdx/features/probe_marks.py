"""Letters and markers near a picture's border: how many small, sharp, even parts there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from latentdx.collection.near_pictures import reduced

Floats = NDArray[np.float64]
Pictures = NDArray[np.float32]

_LARGEST, _FRAME = 256, 0.15
_STANDS_OUT, _WINDOW = 0.25, 0.12
_SMALLEST, _MOST_OF_AREA = 2, 0.01


def marks(pixels: Pictures) -> Floats:
    """(N, 12) of scans (N, C, *spatial): parts of text or a marker, bright ones, then dark ones.

    Of each kind: in how many of the four quarters of the outer frame (15 % of the side) there
    are any, how many there are (log), and their area as a share. A part is connected, at most 1 %
    of the picture, and stands out from the median of its surroundings by a quarter of the whole
    range. At most 256 pixels a side are looked at, of volumes the middle slice along the last axis.

    Examples
    --------
    >>> scan = np.zeros((1, 1, 64, 64), np.float32)
    >>> scan[..., 4:10, 50:52] = 1
    >>> marks(scan)[0, :6].round(3).tolist()
    [0.0, 1.0, 0.0, 0.0, 0.693, 0.003]
    """
    grey = pixels.mean(axis=1)
    grey = grey[..., grey.shape[-1] // 2] if grey.ndim == 4 else grey
    grey = reduced(grey, min(_LARGEST, grey.shape[-1]))
    return np.stack([_of_picture(picture) for picture in grey])


def _of_picture(picture: Pictures) -> Floats:
    reach = float(np.ptp(picture))
    if reach < 1e-3:
        return np.zeros(12)
    side = len(picture)
    step = max(1, side // 64)  # the surroundings need no more detail
    coarse = ndimage.median_filter(picture[::step, ::step], max(3, round(_WINDOW * 64)))
    around = coarse.repeat(step, axis=0).repeat(step, axis=1)[:side, :side]
    above = (picture - around) / reach
    return np.concatenate([_parts(above > _STANDS_OUT), _parts(above < -_STANDS_OUT)])


def _parts(stands_out: NDArray[np.bool_]) -> Floats:
    side = len(stands_out)
    named, count = ndimage.label(stands_out, np.ones((3, 3)))
    sizes = np.bincount(named.ravel(), minlength=count + 1)[1:]
    numbers = np.flatnonzero((sizes >= _SMALLEST) & (sizes <= _MOST_OF_AREA * side * side)) + 1
    if not len(numbers):
        return np.zeros(6)
    middles = np.array(ndimage.center_of_mass(stands_out, named, numbers)) / side
    edge = np.minimum(middles, 1 - middles).min(axis=1) < _FRAME
    quarter = (2 * (middles[:, 0] > 0.5) + (middles[:, 1] > 0.5))[edge].astype(np.int64)
    there = np.bincount(quarter, minlength=4) > 0
    area = float(sizes[numbers[edge] - 1].sum()) / (side * side)
    return np.array([*there.astype(np.float64), np.log1p(edge.sum()), area])
