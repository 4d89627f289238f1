"""Optimal transport between the Gaussians of target and source: the shortest linear move."""

from __future__ import annotations

import numpy as np

from latentdx.features.adapt_coral import shrunk
from latentdx.features.moments import Affine, Floats, Moments, to_power


def transport(source: Moments, target: Floats) -> Affine:
    """The Monge map of N(mean, T) onto N(mean, S), T^-1/2 (T^1/2 S T^1/2)^1/2 T^-1/2.

    Of all maps that give features `target` (N, M) the source's mean and covariance it moves them
    least, in mean square: it turns nothing that need not be turned. T is shrunk towards S, as in
    `coral`. Knott and Smith, Journal of Optimization Theory and Applications 43, 1984; for domain
    adaptation Flamary and others, arXiv:1905.10155, 2019.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> source = Moments.of(chance.normal(size=(500, 2)).astype(np.float32))
    >>> target = (chance.normal(size=(500, 2)) @ [[2, 1], [1, 3]]).astype(np.float32)
    >>> found = transport(source, target)
    >>> bool(np.allclose(found.matrix, found.matrix.T))
    True
    """
    own, onto = shrunk(source, target), source.covariance.astype(np.float64)
    root, inverse = to_power(own, 0.5), to_power(own, -0.5)
    matrix = inverse @ to_power(root @ onto @ root, 0.5) @ inverse
    mean = target.mean(axis=0, dtype=np.float64)
    return Affine.of(matrix, mean, source.mean.astype(np.float64))
