"""Scans whose grey levels are inverted, told by what the others look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.quality_pictures import area_means

Pixels = NDArray[np.float32]

MARGIN = 0.2
"""By how much the negative must correlate better than the picture itself."""

QUARTER = 0.75
"""A picture must agree with its nearest quarter of the others: so kinds may be mixed, and up to a
fifth may be inverted."""

_SIDE = 16
_ROUNDS = 2


class Upright:
    """Pictures that are taken as upright in grey: the majority of a collection.

    Examples
    --------
    >>> ramp = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    >>> pictures = np.stack([ramp] * 9 + [1 - ramp])
    >>> (Upright(pictures).gains(pictures) > MARGIN).nonzero()[0].tolist()
    [9]
    """

    def __init__(self, pictures: Pixels) -> None:
        """Find the majority in a sample (M, H, W); what looks inverted is left out, twice."""
        patterns = _patterns(pictures)
        self._known = patterns
        for _ in range(_ROUNDS):
            self._known = patterns[self._gains(patterns) <= MARGIN]

    def gains(self, pictures: Pixels) -> NDArray[np.float64]:
        """(N,) correlation of each negative with its like, less that of the picture itself."""
        return self._gains(_patterns(pictures))

    def _gains(self, patterns: Pixels) -> NDArray[np.float64]:
        if not len(self._known):
            return np.zeros(len(patterns))
        agreement = patterns @ self._known.T
        itself, opposite = np.quantile(agreement, (QUARTER, 1 - QUARTER), axis=1)
        gains: NDArray[np.float64] = -opposite - itself
        return gains


def _patterns(pictures: Pixels) -> Pixels:
    """(N, 256) with mean 0 and length 1: products are correlations. Constant ones are 0."""
    flat = area_means(pictures, _SIDE).reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    patterns: Pixels = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return patterns
