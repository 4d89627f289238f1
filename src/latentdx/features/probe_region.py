"""What scans say outside a region (body, lungs, brain): the region itself is painted over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.near_pictures import reduced
from latentdx.collection.store import Collection
from latentdx.scans.policy import FoundRegion, Policy, RegionName
from latentdx.scans.regions import region_mask

Floats = NDArray[np.float64]

_CELLS = 12


def region_known(collection: Collection) -> RegionName | None:
    """The region whose outside can be asked: what its scans were cropped to, else kept masks.

    None of the field of X-ray images: what lies outside it was not exposed.
    """
    made = Policy.from_json(collection.info.get("policy", {})).region
    if made is None or made == "field":
        return "mask" if collection.has_masks else None
    return made


def outside_region(collection: Collection, rows: NDArray[np.int64], region: RegionName) -> Floats:
    """Features (N, 144) of the stored scans at `rows`; see `of_pixels`.

    Of ``mask`` the masks that are stored with them: a scan without one says nothing.
    """
    if region != "mask":
        return np.concatenate([of_pixels(pixels, region) for pixels in collection.batches(rows)])
    if not collection.has_masks:
        return np.zeros((len(rows), _CELLS * _CELLS))
    found: list[NDArray[np.float32]] = []
    for pixels in collection.batches(rows):
        masks = collection.masks(rows[len(found) :][: len(pixels)])
        each = zip(pixels, masks, strict=True)
        found += [_painted(scan.mean(axis=0), mask) for scan, mask in each]
    return np.stack(found).reshape(len(rows), -1).astype(np.float64)


def of_pixels(pixels: NDArray[np.float32], region: FoundRegion) -> Floats:
    """Means of 12 x 12 cells of scans (N, C, *spatial) whose region has the mean of its outside.

    Of volumes the mean along the last axis is seen. A scan in which the region is not found, or
    that it fills, says nothing: all cells are 0. The region's outline stays to be seen.

    Examples
    --------
    >>> scan = np.zeros((1, 1, 48, 48), np.float32)
    >>> scan[..., 8:40, 8:40] = 1
    >>> float(of_pixels(scan, "body").max())
    0.0
    """
    greys = (scan.mean(axis=0) for scan in pixels)
    found = [_painted(grey, region_mask(grey, region)) for grey in greys]
    return np.stack(found).reshape(len(pixels), -1).astype(np.float64)


def _painted(grey: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    if inside.all() or not inside.any():
        return np.zeros((_CELLS, _CELLS), np.float32)
    painted = np.where(inside, grey[~inside].mean(), grey)
    flat = painted if painted.ndim == 2 else painted.mean(axis=-1)
    return reduced(flat.astype(np.float32), _CELLS)
