"""`measures_of`: numbers that a radiologist could name: grey levels, shape, texture, symmetry.

First-order and texture features are those of radiomics in their plainest form (Haralick, IEEE
Trans. SMC 3, 1973; Zwanenburg et al., Radiology 295, 2020), by scikit-image where it has them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.policy import FoundRegion
from latentdx.scans.regions import region_mask
from latentdx.scans.resample import resample_axes
from latentdx.scans.scan import Scan

PREFIX = "picture_"
"""Of the columns that hold them: they are of the picture, not of what is known of a scan."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SIDES = {2: 128, 3: 64}
_RIM, _FLAT = 2, 1e-9
_LEVELS, _DISTANCES = 16, (1, 3)
_TURNS = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_DIGITS = 6


def measures_of(
    scan: Scan, region: FoundRegion = "body", own: Mask | None = None
) -> dict[str, str]:
    """Columns by name of a scan's region: ``picture_mean`` and so on, as text.

    `own` is a mask of the user's own (*spatial), which takes the region's place where it holds any.

    Of the grey levels in 0..1 mean, deviation, skewness, kurtosis, entropy (bits) and three
    quantiles; of the region its share of the picture, the share of its box that it fills, and how
    long it is for its width; of grey levels side by side (co-occurrence of 16 levels, 1 and 3
    pixels apart, of volumes in the middle slice) contrast, correlation, homogeneity and energy; of
    left against right, mirrored about the region's middle, the difference of the means, the mean
    difference and the correlation. None has a sign by which left could be told from right. All are
    measured in a copy of 128 pixels a side (volumes: 64), so that a scanner's matrix hardly shows
    in them, and but for the shape two pixels within the region's rim.

    Examples
    --------
    >>> pixels = np.zeros((1, 48, 48), np.float32)
    >>> pixels[:, 8:40, 12:36] = 0.5
    >>> found = measures_of(Scan(pixels, (48, 48)))
    >>> [round(float(found[f"picture_{name}"]), 2) for name in ("mean", "asymmetry", "box_filled")]
    [0.5, 0.0, 1.0]
    """
    grey = _resampled(scan.pixels.mean(axis=0))
    inside = region_mask(grey, region)
    if own is not None and (drawn := _resampled(own.astype(np.float32)) >= 0.5).any():
        inside = drawn
    core = _within(inside)
    found = {
        **_first_order(grey[core]),
        **_shape(inside),
        **_texture(*_middle(grey, core)),
        **_symmetry(grey, core),
    }
    return {f"{PREFIX}{name}": f"{value:.{_DIGITS}g}" for name, value in found.items()}


def _resampled(grey: NDArray[np.float32]) -> Floats:
    step = max(grey.shape) / _SIDES[grey.ndim]
    shape = tuple(max(1, round(side / step)) for side in grey.shape)
    steps = tuple(old / new for old, new in zip(grey.shape, shape, strict=True))
    return resample_axes(grey, shape, steps).astype(np.float64).clip(0, 1)


def _within(inside: Mask) -> Mask:
    """The region without its rim, where pixels are half outside; itself where nothing is left."""
    from scipy import ndimage

    core: Mask = ndimage.binary_erosion(inside, iterations=_RIM, border_value=1)
    return core if core.any() else inside


def _first_order(levels: Floats) -> dict[str, float]:
    mean, deviation = float(levels.mean()), float(levels.std())
    z = (levels - mean) / max(deviation, 1e-6)
    share = np.histogram(levels, 32, (0, 1))[0] / len(levels)
    share = share[share > 0]
    low, middle, high = np.quantile(levels, (0.1, 0.5, 0.9)).tolist()
    return {
        "mean": mean,
        "deviation": deviation,
        "skewness": float((z**3).mean()),
        "kurtosis": float((z**4).mean()),
        "entropy": abs(float((share * np.log2(share)).sum())),
        **{"low": low, "median": middle, "high": high},
    }


def _shape(inside: Mask) -> dict[str, float]:
    places = np.argwhere(inside).astype(np.float64)
    box = np.prod(np.ptp(places, axis=0) + 1)
    spread = np.linalg.eigvalsh(np.cov(places.T)) if len(places) > 2 else np.ones(2)
    return {
        "share": float(inside.mean()),
        "box_filled": len(places) / float(box),
        "elongation": float(np.sqrt(spread[-1] / max(float(spread[0]), 1e-6))),
    }


def _middle(grey: Floats, inside: Mask) -> tuple[Floats, Mask]:
    """Of a volume the slice along the last axis that holds most of the region."""
    if grey.ndim == 2:
        return grey, inside
    best = int(inside.sum(axis=(0, 1)).argmax())
    return grey[..., best], inside[..., best]


def _texture(grey: Floats, inside: Mask) -> dict[str, float]:
    from skimage.feature import graycomatrix, graycoprops

    levels = np.where(inside, 1 + np.minimum(grey * _LEVELS, _LEVELS - 1), 0).astype(np.uint8)
    counts = graycomatrix(levels, _DISTANCES, _TURNS, _LEVELS + 1, symmetric=True)
    pairs = counts[1:, 1:].astype(np.float64)  # level 0 is outside
    total = pairs.sum(axis=(0, 1), keepdims=True)
    pairs /= np.maximum(total, 1)
    names = ("contrast", "correlation", "homogeneity", "energy")
    return {f"texture_{name}": float(graycoprops(pairs, name).mean()) for name in names}


def _symmetry(grey: Floats, inside: Mask) -> dict[str, float]:
    across = 1 if grey.ndim == 2 else 0
    others = tuple(axis for axis in range(grey.ndim) if axis != across)
    columns = np.flatnonzero(inside.any(axis=others))
    part = [slice(None)] * grey.ndim
    part[across] = slice(int(columns[0]), int(columns[-1]) + 1)
    levels, mask = grey[tuple(part)], inside[tuple(part)]
    both = mask & np.flip(mask, across)
    half = [slice(None)] * grey.ndim
    half[across] = slice(0, (levels.shape[across]) // 2)
    first, second = levels[tuple(half)], np.flip(levels, across)[tuple(half)]
    seen = both[tuple(half)]
    if seen.sum() < 4:
        return {"asymmetry": 0.0, "asymmetry_of_means": 0.0, "mirror_correlation": 1.0}
    left, right = first[seen], second[seen]
    spread = left.std() * right.std()
    joint = ((left - left.mean()) * (right - right.mean())).mean()
    alike = float(joint / spread) if spread > _FLAT else 1.0
    return {
        "asymmetry": float(np.abs(left - right).mean()),
        "asymmetry_of_means": abs(float(left.mean() - right.mean())),
        "mirror_correlation": alike,
    }
