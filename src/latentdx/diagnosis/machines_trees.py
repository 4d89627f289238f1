"""The machine of many decision trees: forests and boosted trees alike are a sum of leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.machine import Floats, by_blocks

Indices = NDArray[np.int32]

DEEPEST = 64
"""Steps after which a walk from the root ends, whatever the arrays say."""


@dataclass(frozen=True)
class Trees:
    """The leaves that a scan falls into, summed over the trees of a question.

    From node i a scan goes to `children[i, 0]` where ``x[columns[i]] <= cuts[i]``, else to
    `children[i, 1]`; a leaf has itself as children. `roots` int (Q, T), `columns` int (M,),
    `cuts` (M,), `children` int (M, 2), `values` (M,), `intercepts` (Q,).
    """

    roots: Indices
    columns: Indices
    cuts: Floats
    children: Indices
    values: Floats
    intercepts: Floats

    def scores(self, features: Floats) -> Floats:
        """Log-odds of boosted trees, votes in -1..1 of a forest, (N, Q)."""
        return by_blocks(self._block, features)

    def _block(self, features: Floats) -> Floats:
        rows = np.arange(len(features))[:, None]
        at = np.repeat(self.roots.reshape(1, -1), len(features), axis=0)
        for _ in range(DEEPEST):
            right = features[rows, self.columns[at]] > self.cuts[at]
            after = self.children[at, right.astype(np.int8)]
            if np.array_equal(after, at):
                break
            at = after
        leaves = self.values[at].reshape(len(features), *self.roots.shape)
        summed = leaves.sum(axis=2, dtype=np.float64) + self.intercepts
        found: Floats = summed.astype(np.float32)
        return found
