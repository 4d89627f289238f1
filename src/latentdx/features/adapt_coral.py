"""CORAL: the target's correlations are taken out, and the source's put in."""

from __future__ import annotations

import numpy as np

from latentdx.features.moments import Affine, Doubles, Floats, Moments, to_power


def coral(source: Moments, target: Floats) -> Affine:
    """T^-1/2 S^1/2, of covariances T of features `target` (N, M) and S of the source; and means.

    Sun, Feng and Saenko, AAAI 2016, from the target to the source, so that the classifier is kept.
    T is shrunk towards S (see `shrunk`) where the paper adds the identity: of few scans it says
    little, and is then believed little.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> source = Moments.of(chance.normal(size=(2000, 2)).astype(np.float32))
    >>> target = chance.normal(size=(2000, 2)) @ [[2, 1], [0, 3]] + 4
    >>> target = target.astype(np.float32)
    >>> moved = Moments.of(coral(source, target)(target))
    >>> bool(np.allclose(moved.covariance, source.covariance, atol=0.02))
    True
    """
    own, onto = shrunk(source, target), source.covariance.astype(np.float64)
    matrix = to_power(own, -0.5) @ to_power(onto, 0.5)
    mean = target.mean(axis=0, dtype=np.float64)
    return Affine.of(matrix, mean, source.mean.astype(np.float64))


def shrunk(source: Moments, target: Floats) -> Doubles:
    """(1 - w) T + w S, the w that is expected to err least: 1 where the target says nothing.

    Of features (N, M) in units in which S is the identity: Ledoit and Wolf, Journal of Multivariate
    Analysis 88, 2004, with the identity in place of a multiple of it.
    """
    onto = source.covariance.astype(np.float64)
    units = to_power(onto, -0.5)
    centred = target.astype(np.float64) - target.mean(axis=0, dtype=np.float64)
    rows = centred @ units
    n, width = rows.shape
    own = rows.T @ rows / n
    error = ((rows**2).sum(axis=1) ** 2).sum() / n**2 - (own**2).sum() / n
    apart = ((own - np.eye(width)) ** 2).sum()
    weight = float(np.clip(error / max(apart, 1e-12), 0, 1))
    found: Doubles = (1 - weight) * (centred.T @ centred / n) + weight * onto
    return found
