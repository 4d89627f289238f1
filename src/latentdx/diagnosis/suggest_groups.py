"""Groups of scans that look alike, and how typical each scan is of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.suggest_pool import Floats, Ints

_MOST_GROUPS = 500
_NEIGHBOURS = 20
_BLOCK = 1024
_ROUNDS = 30
_SAME = 1e-12  # of the largest squared length: what rounding leaves

Table = NDArray[np.float64]


def groups_of(features: Floats, wanted: int, seed: int) -> Ints:
    """(N,) the group of each row by k-means: at most `wanted`, 500, or as many as distinct rows.

    Lloyd's algorithm (1957) from centres drawn by k-means++ (Arthur & Vassilvitskii, 2007). Groups
    are numbered from 0; none is empty.

    Examples
    --------
    >>> line = np.array([[0.0], [0.1], [9.0], [9.1]], np.float32)
    >>> found = groups_of(line, 2, seed=0)
    >>> bool(found[0] == found[1] != found[2] == found[3])
    True
    """
    rows = features.astype(np.float64)
    centres = _first_centres(rows, min(wanted, _MOST_GROUPS), numpy_generator(seed, "groups"))
    groups = _nearest(rows, centres)
    for _ in range(_ROUNDS):
        sizes = np.bincount(groups, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, groups, rows)
        filled = sizes > 0
        centres = sums[filled] / sizes[filled, None]
        before, groups = np.cumsum(filled)[groups] - 1, _nearest(rows, centres)
        if (before == groups).all():
            break
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _first_centres(rows: Table, wanted: int, generator: np.random.Generator) -> Table:
    """Rows drawn by their squared distance to those drawn before, while there are other rows.

    Of a few candidates the one that leaves the least distance: one unlucky draw spoils all.
    """
    lengths = (rows**2).sum(axis=1)
    chosen = [int(generator.integers(len(rows)))]
    apart = _squared_to(rows, lengths, chosen)[0]
    tries = 2 + int(np.log(max(1, wanted)))
    while len(chosen) < wanted and apart.max() > _SAME * lengths.max():
        drawn = generator.choice(len(rows), tries, p=apart / apart.sum())
        left = np.minimum(apart, _squared_to(rows, lengths, drawn.tolist()))
        best = int(left.sum(axis=1).argmin())
        chosen.append(int(drawn[best]))
        apart = left[best]
    return rows[chosen]


def _squared_to(rows: Table, lengths: Table, chosen: list[int]) -> Table:
    """Squared distances (M, N) of M chosen rows to all."""
    found: Table = lengths[chosen][:, None] + lengths - 2 * rows[chosen] @ rows.T
    return np.maximum(found, 0)


def _nearest(rows: Table, centres: Table) -> Ints:
    """(N,) the number of the nearest centre."""
    lengths = (centres**2).sum(axis=1)
    blocks = [
        (lengths - 2 * rows[start : start + _BLOCK] @ centres.T).argmin(axis=1)
        for start in range(0, len(rows), _BLOCK)
    ]
    return np.concatenate(blocks)


def typicality(features: Floats, groups: Ints) -> Floats:
    """(N,) 1 / mean distance to the (at most 20) nearest rows of the same group.

    Hacohen, Dekel & Weinshall, "Active learning on a budget: opposite strategies suit high and low
    budgets", ICML 2022.

    Examples
    --------
    >>> line = np.array([[0.0], [1.0], [2.0], [9.0]], np.float32)
    >>> int(typicality(line, np.zeros(4, np.int64)).argmax())
    1
    """
    found = np.zeros(len(groups), np.float32)
    for group in np.unique(groups).tolist():
        rows = np.flatnonzero(groups == group)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            found[block] = 1 / (_to_nearest(features[block], features[rows]) + 1e-6)
    return found


def _to_nearest(block: Floats, inside: Floats) -> Floats:
    """Mean distance of each row of a block to its nearest other rows inside."""
    count = min(_NEIGHBOURS, len(inside) - 1)
    apart = (block**2).sum(axis=1)[:, None] + (inside**2).sum(axis=1) - 2 * block @ inside.T
    nearest = np.partition(apart, count, axis=1)[:, : count + 1]  # itself among them, at 0
    found: Floats = np.sqrt(np.maximum(nearest, 0)).sum(axis=1) / max(count, 1)
    return found
