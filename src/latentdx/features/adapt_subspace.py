"""Subspace alignment: the target's main directions are laid onto the source's."""

from __future__ import annotations

import numpy as np

from latentdx.features.moments import Affine, Doubles, Floats, Moments

SHARE = 0.9
"""Of the target's variance that its subspace holds."""


def subspace(source: Moments, target: Floats) -> Affine:
    """P P' Q Q', of bases P of features `target` (N, M) and Q of the source; and means.

    Fernando and others, ICCV 2013, from the target to the source. Both have as many directions as
    hold 90 % of the target's variance, at most a third of its scans.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> both = (chance.normal(size=(2, 500, 4)) * [9, 9, 1, 1]).astype(np.float32)
    >>> found = subspace(Moments.of(both[0]), both[1])
    >>> int(np.linalg.matrix_rank(found.matrix, tol=1e-6))
    2
    """
    own = Moments.of(target)
    values, ours = _axes(own.covariance)
    held = int((np.cumsum(values) < SHARE * values.sum()).sum()) + 1
    kept = max(1, min(held, len(target) // 3))
    theirs = _axes(source.covariance)[1][:, :kept]
    ours = ours[:, :kept]
    matrix = ours @ (ours.T @ theirs) @ theirs.T
    return Affine.of(matrix, own.mean.astype(np.float64), source.mean.astype(np.float64))


def _axes(covariance: Floats) -> tuple[Doubles, Doubles]:
    """Eigenvalues, the largest first, and their directions as columns."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    return np.maximum(values[::-1], 0), vectors[:, ::-1]
