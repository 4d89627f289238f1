"""How often the scans of each class are shown to a network that learns from labels.

    natural       as often as they are there
    balanced      every class as often as every other
    square-root   in between: by the square root of its number (Mikolov et al., NIPS 2013;
                  Mahajan et al., ECCV 2018, for pictures)

A rare class that is shown more often is the same few scans again: augmented views make them differ.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["natural", "balanced", "square-root"]
Ints = NDArray[np.int64]

POWERS: dict[Sampling, float] = {"natural": 1.0, "square-root": 0.5, "balanced": 0.0}


def class_shares(labels: Ints, n_classes: int, sampling: Sampling) -> NDArray[np.float64]:
    """The share (K,) of each class among the scans that are shown; `labels` is int (N,).

    Examples
    --------
    >>> labels = np.array([0] * 9 + [1])
    >>> class_shares(labels, 2, "natural").tolist(), class_shares(labels, 2, "square-root").tolist()
    ([0.9, 0.1], [0.75, 0.25])
    """
    counts = np.bincount(labels, minlength=n_classes).astype(np.float64)
    mass = np.where(counts > 0, counts ** POWERS[sampling], 0.0)
    found: NDArray[np.float64] = mass / mass.sum()
    return found


def shown(
    labels: Ints, n_classes: int, count: int, sampling: Sampling, generator: np.random.Generator
) -> Ints:
    """Rows (count,) to be shown, shuffled; each of a class once before any twice.

    Examples
    --------
    >>> rows = shown(np.array([0, 0, 0, 1]), 2, 6, "balanced", np.random.default_rng(0))
    >>> sorted(rows.tolist())
    [0, 1, 2, 3, 3, 3]
    """
    ends = np.rint(np.cumsum(class_shares(labels, n_classes, sampling)) * count).astype(int)
    drawn = []
    for label, quota in enumerate(np.diff(ends, prepend=0).tolist()):
        rows = np.flatnonzero(labels == label)
        turns = -(-quota // max(1, len(rows)))
        order = [generator.permutation(rows) for _ in range(turns)]
        drawn.append(np.concatenate([*order, rows[:0]])[:quota])
    return generator.permutation(np.concatenate(drawn))
