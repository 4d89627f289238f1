"""The machine that remembers: nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        # in 64 bits: of a scan that is remembered itself, nothing but rounding would be left
        asked, vectors = features.astype(np.float64), self.vectors.astype(np.float64)
        squared = (vectors**2).sum(axis=1) - 2 * asked @ vectors.T
        squared += (asked**2).sum(axis=1)[:, None]
        k = min(int(self.k), len(self.vectors))
        nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
        distance = np.sqrt(np.maximum(np.take_along_axis(squared, nearest, axis=1), 0))
        weight = 1 / (distance + distance.mean(axis=1, keepdims=True) + 1e-6)
        votes = self.votes[:, nearest]  # (Q, N, k)
        total = (weight * np.abs(votes)).sum(axis=2)
        found: Floats = ((weight * votes).sum(axis=2) / total).T.astype(np.float32)
        return found
