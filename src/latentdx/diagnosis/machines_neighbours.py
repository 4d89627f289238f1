"""The machine that remembers: nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.machine import Floats, Ints, by_blocks


@dataclass(frozen=True)
class Neighbours:
    """The share of each class among the k nearest training scans, weighted by class and distance.

    Cover & Hart, IEEE Transactions on Information Theory 13, 1967. `vectors` (M, D), `votes`
    (Q, M) in -w..w, `k` ().
    """

    vectors: Floats
    votes: Floats
    k: Ints

    def scores(self, features: Floats) -> Floats:
        """Weighted votes in -1..1, (N, Q)."""
        return by_blocks(self._block, features)

    def _block(self, features: Floats) -> Floats:
        nearest, weight = nearest_weights(features, self.vectors, int(self.k))
        votes = self.votes[:, nearest]  # (Q, N, k)
        total = (weight * np.abs(votes)).sum(axis=2)
        found: Floats = ((weight * votes).sum(axis=2) / total).T.astype(np.float32)
        return found


@dataclass(frozen=True)
class NeighbourMeans:
    """The mean value of the k nearest training scans, weighted by distance.

    `vectors` (M, D), `values` (M,), `k` ().
    """

    vectors: Floats
    values: Floats
    k: Ints

    def scores(self, features: Floats) -> Floats:
        """Weighted means, (N, 1)."""
        return by_blocks(self._block, features)

    def _block(self, features: Floats) -> Floats:
        nearest, weight = nearest_weights(features, self.vectors, int(self.k))
        found = (weight * self.values[nearest]).sum(axis=1) / weight.sum(axis=1)
        means: Floats = found[:, None].astype(np.float32)
        return means


def nearest_weights(
    features: Floats, vectors: Floats, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of each row the k nearest vectors (N, k), and weights (N, k) that fall with the distance."""
    # in 64 bits: of a scan that is remembered itself, nothing but rounding would be left
    asked, held = features.astype(np.float64), vectors.astype(np.float64)
    squared = (held**2).sum(axis=1) - 2 * asked @ held.T
    squared += (asked**2).sum(axis=1)[:, None]
    k = min(k, len(held))
    nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
    distance = np.sqrt(np.maximum(np.take_along_axis(squared, nearest, axis=1), 0))
    return nearest, 1 / (distance + distance.mean(axis=1, keepdims=True) + 1e-6)
