"""Scans unlike all others: another body part, another modality, a screenshot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

THRESHOLD = 8.0
"""Robust standard deviations above the median from which a scan is odd."""

MOST = 0.1
"""At most this share of a collection is called odd: more of a kind are a kind of its own."""

CROWD = 0.15
"""Share of the scans that make a neighbourhood. A group well below it cannot vouch for itself."""

_COMPONENTS = 60
_NEAREST = 20
_TRIM = 0.9
_RIDGE = 0.1


class Typical:
    """What is usual in a collection, kinds and all, from a sample of its features (M, D).

    The features are reduced to principal components and whitened by the scatter of each scan
    around its nearest ones, the most scattered tenth left out: a difference counts by how rare it
    is between scans of one kind. A scan's score is the logarithm of its distance to the edge of
    its neighbourhood (the nearest `CROWD` of all scans) over the median of its neighbours' own: a
    local outlier factor after Breunig et al. (2000), which no kind's own width disturbs.

    Examples
    --------
    >>> usual = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    >>> scores = Typical(usual).scores(np.array([[0.0] * 5, [9.0] * 5], np.float32))
    >>> bool(scores[1] > scores[0] + 1)
    True
    """

    def __init__(self, features: Features) -> None:
        self._mean = features.mean(axis=0)
        self._turn = _whitening(features - self._mean)
        self._known = (features - self._mean) @ self._turn
        self._crowd = max(5, int(np.ceil(CROWD * len(features))))
        distances = np.sqrt(_squares(self._known, self._known))
        self._reach = np.partition(distances, self._crowd, axis=1)[:, self._crowd]
        self._floor = 1e-3 * float(np.median(self._reach)) + 1e-12

    def scores(self, features: Features) -> NDArray[np.float64]:
        """(N,) about 0 for usual scans."""
        distances = np.sqrt(_squares((features - self._mean) @ self._turn, self._known))
        nearest = np.argpartition(distances, self._crowd, axis=1)[:, : self._crowd + 1]
        reach = np.take_along_axis(distances, nearest, axis=1).max(axis=1)
        usual = np.median(self._reach[nearest], axis=1)
        found: NDArray[np.float64] = np.log((reach + self._floor) / (usual + self._floor))
        return found


def odd_rows(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows whose score stands out, the oddest first, at most `MOST` of all.

    Examples
    --------
    >>> odd_rows(np.array([*np.linspace(-0.1, 0.1, 99), 5.0])).tolist()
    [99]
    """
    middle = float(np.median(scores))
    spread = 1.4826 * float(np.median(np.abs(scores - middle)))
    beyond = np.flatnonzero(scores > middle + THRESHOLD * max(spread, 0.01))
    order = beyond[np.argsort(-scores[beyond], kind="stable")]
    return order[: int(MOST * len(scores))]


def _whitening(features: Features) -> NDArray[Any]:
    """(D, K): to principal components in which nearest scans scatter alike."""
    n_components = max(2, min(_COMPONENTS, len(features) // 5, features.shape[1]))
    axes = np.linalg.svd(features, full_matrices=False)[2][:n_components].T
    turned = features @ axes
    nearest = np.argpartition(_squares(turned, turned), _NEAREST, axis=1)[:, : _NEAREST + 1]
    around = turned - turned[nearest].mean(axis=1)
    length = (around**2).sum(axis=1)
    around = around[length <= np.quantile(length, _TRIM)]
    scatter, own = np.linalg.eigh(around.T @ around / len(around))
    ridge = _RIDGE * float(scatter.mean()) + 1e-12
    whitening: NDArray[Any] = axes @ (own / np.sqrt(scatter.clip(0) + ridge))
    return whitening


def _squares(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """(N, M) squared distances between rows."""
    lengths = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    squares: NDArray[Any] = np.maximum(lengths - 2 * (left @ right.T), 0)
    return squares
