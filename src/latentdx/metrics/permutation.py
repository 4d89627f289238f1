"""Tests by permutation, of which any may be asked of one cohort: rates of false alarm that hold.

A permutation gives a p-value that is right for every number of scans and every statistic, as long
as what is permuted could as well have been in another order. Many tests raise more false alarms
than one; Holm's correction keeps the chance of any at the level that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from latentdx.metrics.metric import Floats

ENOUGH = 20
"""Permutations that reach the observed value, after which no more are drawn."""

_BLOCK = 100


def holm(p_values: ArrayLike) -> Floats:
    """P-values (M,) corrected for their number: below a, the chance of any false alarm is a.

    Holm, Scandinavian Journal of Statistics 6, 1979. It asks nothing of how the tests depend on
    each other.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.02]).tolist()
    [0.03, 0.04, 0.04]
    """
    given = np.asarray(p_values, np.float64)
    order = np.argsort(given, kind="stable")
    raised = given[order] * np.arange(len(given), 0, -1)
    found = np.empty(len(given))
    found[order] = np.minimum(1, np.maximum.accumulate(raised))
    return found


def permuted_p(observed: float, draw: Callable[[int], Floats], most: int) -> float:
    """The chance of a value as large as `observed` where nothing is to be found.

    `draw` gives the statistic of so many further permutations. Where many reach the observed value
    the drawing ends early, and the p-value is as valid: Besag and Clifford, Biometrika 78, 1991.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> permuted_p(10.0, lambda count: chance.normal(size=count), 199)
    0.005
    >>> permuted_p(-10.0, lambda count: chance.normal(size=count), 199)
    1.0
    """
    reached = drawn = 0
    limit = observed - 1e-12 * max(1.0, abs(observed))
    while drawn < most:
        block = draw(min(_BLOCK, most - drawn))
        hits = np.flatnonzero(block >= limit)
        if reached + len(hits) >= ENOUGH:
            return ENOUGH / float(drawn + hits[ENOUGH - reached - 1] + 1)
        reached, drawn = reached + len(hits), drawn + len(block)
    return (reached + 1) / (drawn + 1)
