"""Where the body, the lungs, the brain or the exposed field lie, by classical methods.

Thresholds by Otsu (IEEE Trans. SMC 9, 1979), connected parts, and openings: nothing is learned, so
nothing has to be shipped, and what is found can be looked at. It is found in a coarse copy, good
enough to crop by and to weigh with; it is no segmentation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.body import otsu
from latentdx.scans.policy import FoundRegion
from latentdx.scans.resample import resample_axes

REGIONS: tuple[FoundRegion, ...] = ("field", "body", "lung", "brain")

Mask = NDArray[np.bool_]
Box = tuple[slice, ...]

_COARSE = {2: 128, 3: 64}  # along the longest side of the copy in which a region is sought
_MARGIN = 1 / 32  # of the longest side
_FIELD = 0.06  # of the way from dark to bright: what lies above it was exposed
_SHARES = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)  # of the body, that may be lung
_LEAST_LUNG, _SECOND_LUNG = 0.03, 0.3  # of the body; of the larger lung
_RIND = 1 / 12  # of a head's width: skin, fat and skull


def region_mask(image: NDArray[Any], region: FoundRegion) -> Mask:
    """Where `region` lies in an image (H, W) or volume (X, Y, Z); all of it where none is found.

    ``field``: what is not as dark as the shutters of an X-ray image. ``body``: the largest bright
    part and its holes. ``lung``: the largest parts left and right that are darker than what is
    around them and reach no border. ``brain``: the inside of a head, a twelfth of its width away
    from the skin.

    Examples
    --------
    >>> image = np.zeros((64, 64))
    >>> image[8:56, 16:48] = 1
    >>> image[20:40, 20:28] = image[20:40, 36:44] = 0.2
    >>> [int(region_mask(image, name).sum()) for name in ("field", "body", "lung")]
    [1536, 1536, 424]
    """
    coarse, steps = _coarse(image)
    found = _FINDERS[region](coarse)
    if not found.any():
        return np.ones(image.shape, np.bool_)
    index = [
        np.minimum((np.arange(side) / step).astype(np.intp), len_ - 1)
        for side, step, len_ in zip(image.shape, steps, found.shape, strict=True)
    ]
    return np.asarray(found[np.ix_(*index)])


def region_box(image: NDArray[Any], region: FoundRegion) -> Box:
    """Slices that hold the region and a margin of 1/32 of the longest side.

    Examples
    --------
    >>> image = np.zeros((64, 64))
    >>> image[20:40, 20:40] = 1
    >>> region_box(image, "body")
    (slice(17, 43, None), slice(17, 43, None))
    """
    coarse, steps = _coarse(image)
    found = _FINDERS[region](coarse)
    if not found.any():
        return tuple(slice(0, side) for side in image.shape)
    margin = 0.0 if region == "field" else _MARGIN * max(image.shape)
    box = []
    for axis, (side, step) in enumerate(zip(image.shape, steps, strict=True)):
        rows = np.flatnonzero(found.any(axis=_others(found, axis)))
        start, stop = rows[0] * step - margin, (rows[-1] + 1) * step + margin
        box.append(slice(max(0, math.floor(start)), min(side, math.ceil(stop))))
    return tuple(box)


def _coarse(image: NDArray[Any]) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    step = max(1.0, max(image.shape) / _COARSE[image.ndim])
    shape = tuple(max(1, round(side / step)) for side in image.shape)
    steps = tuple(old / new for old, new in zip(image.shape, shape, strict=True))
    return resample_axes(image, shape, steps), steps


def _field(image: NDArray[np.float32]) -> Mask:
    """The box around what is brighter than the shutters, which lie at the edges."""
    low, high = np.percentile(image, (0.5, 99))
    bright = image > low + _FIELD * (high - low)
    found: Mask = bright
    for axis in range(image.ndim):
        rows = np.flatnonzero(bright.mean(axis=_others(bright, axis)) > _FIELD)
        if not len(rows):
            return np.zeros(image.shape, np.bool_)
        within = np.zeros(image.shape[axis], np.bool_)
        within[rows[0] : rows[-1] + 1] = True
        side = [1] * image.ndim
        side[axis] = -1
        line = within.reshape(side)
        found = line & np.ones(image.shape, np.bool_) if axis == 0 else found & line
    return found


def _body(image: NDArray[np.float32]) -> Mask:
    from scipy import ndimage

    low, high = np.percentile(image, (1, 99))
    if low == high:
        return np.zeros(image.shape, np.bool_)
    clipped = ndimage.gaussian_filter(np.clip(image, low, high), 0.5)
    # Half way up to Otsu's threshold: scalp and lungs are body, too.
    bright: Mask = clipped > (low + otsu(clipped)) / 2
    return _filled(_largest(bright, 1))


def _lung(image: NDArray[np.float32]) -> Mask:
    """The best of several thresholds on what is darker than its surroundings."""
    from scipy import ndimage

    side = max(image.shape)
    smooth = ndimage.gaussian_filter(image, side / 100)
    darker = ndimage.gaussian_filter(image, side / 4) - smooth
    body = _body(image)
    best, found = 0, np.zeros(image.shape, np.bool_)
    for share in _SHARES if body.any() else ():
        dark = darker > np.quantile(darker[body], 1 - share)
        parts = _two_sides(_without_border(ndimage.binary_opening(dark, iterations=1)))
        if parts is not None and (area := min(int(part.sum()) for part in parts)) > best:
            best, found = area, parts[0] | parts[1]
    if best < _LEAST_LUNG * body.sum():
        return np.zeros(image.shape, np.bool_)
    return _filled(ndimage.binary_closing(found, iterations=max(1, side // 40)) | found)


def _two_sides(mask: Mask) -> tuple[Mask, Mask] | None:
    """The largest part on either side of the middle, if neither is much smaller or crosses it."""
    from scipy import ndimage

    across = 1 if mask.ndim == 2 else 0
    named, count = ndimage.label(mask)
    if count < 2:
        return None
    numbers = np.arange(1, count + 1)
    sizes = ndimage.sum_labels(mask, named, numbers)
    middles = np.array(ndimage.center_of_mass(mask, named, numbers))[:, across]
    is_left = middles < (mask.shape[across] - 1) / 2
    if is_left.all() or not is_left.any():
        return None
    first, second = (int(numbers[side][np.argmax(sizes[side])]) for side in (is_left, ~is_left))
    sides = sorted((sizes[first - 1], sizes[second - 1]))
    return (named == first, named == second) if sides[0] >= _SECOND_LUNG * sides[1] else None


def _brain(image: NDArray[np.float32]) -> Mask:
    """What lies a twelfth of the head's width or more within its outline."""
    from scipy import ndimage

    head = _body(image)
    if not head.any():
        return head
    # The outside of the picture is no outside of the head: a cut skull goes on there.
    depth = ndimage.distance_transform_edt(np.pad(head, 1, constant_values=True))
    inner = depth[tuple([slice(1, -1)] * head.ndim)]
    widths = [int(head.any(axis=_others(head, axis)).sum()) for axis in range(head.ndim)]
    return _largest(inner > _RIND * sorted(widths)[-2], 1)


def _others(mask: Mask, axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(mask.ndim) if other != axis)


_FINDERS = {"field": _field, "body": _body, "lung": _lung, "brain": _brain}


def _filled(mask: Mask) -> Mask:
    """Holes filled; of a volume slice by slice along the last axis, where lungs are open above."""
    from scipy import ndimage

    if mask.ndim == 2:
        return np.asarray(ndimage.binary_fill_holes(mask), np.bool_)
    slices = [ndimage.binary_fill_holes(mask[..., k]) for k in range(mask.shape[-1])]
    return np.stack(slices, axis=-1).astype(np.bool_)


def _without_border(mask: Mask) -> Mask:
    """Parts that reach no edge; of a volume none of the first two axes."""
    from scipy import ndimage

    named, count = ndimage.label(mask)
    edges = [np.take(named, (0, -1), axis) for axis in range(2)]
    touching = np.unique(np.concatenate([edge.ravel() for edge in edges]))
    keep = np.ones(count + 1, np.bool_)
    keep[touching] = False
    keep[0] = False
    return np.asarray(keep[named])


def _largest(mask: Mask, count: int) -> Mask:
    """The `count` largest parts."""
    from scipy import ndimage

    named, n_parts = ndimage.label(mask)
    if not n_parts:
        return np.zeros(mask.shape, np.bool_)
    sizes = np.bincount(named.ravel(), minlength=n_parts + 1)
    sizes[0] = 0
    return np.isin(named, np.argsort(-sizes, kind="stable")[:count]) & mask
