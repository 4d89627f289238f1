"""Prediction sets with a stated coverage, conformalized on the ``tune`` part."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COVERAGE = 0.9


def conformal_cutoff(
    probabilities: Floats, labels: NDArray[np.int64], coverage: float = COVERAGE
) -> float:
    """The least probability that a class needs to be in a prediction set.

    Split conformal prediction with the score 1 - p(reference label): a set then holds the
    reference label with probability `coverage` for scans exchangeable with these (Vovk et al.
    2005; Sadinle, Lei & Wasserman, JASA 2019). 0 (all classes) where there are too few scans.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 9)
    >>> conformal_cutoff(p, np.zeros(19, int))
    0.6
    """
    n_scans = len(labels)
    rank = math.ceil((n_scans + 1) * coverage)
    if rank > n_scans:
        return 0.0
    strangeness = np.sort(1 - probabilities[np.arange(n_scans), labels])
    return float(1 - strangeness[rank - 1])


def class_cutoffs(
    probabilities: Floats, labels: NDArray[np.int64], coverage: float = COVERAGE
) -> Floats:
    """A cutoff for each class, (K,), from its own scans: each class is then covered as stated.

    Label-conditional prediction: Vovk, Gammerman & Shafer, "Algorithmic learning in a random
    world", 2005. 0 for a class of too few scans, which is then in every set.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1]] * 9 + [[0.6, 0.4]] * 9)
    >>> class_cutoffs(p, np.repeat([0, 1], 9)).tolist()
    [0.9, 0.4]
    """
    classes = range(probabilities.shape[1])
    return np.array(
        [
            conformal_cutoff(probabilities[labels == k], labels[labels == k], coverage)
            for k in classes
        ]
    )


def prediction_sets(
    probabilities: Floats, cutoff: float | Floats, decided: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """(N, K), True where a class is in the scan's set; the decided class always is.

    `cutoff` may be one for all, (K,) by class, or (N, 1) by scan. `decided` (N,) are the
    decisions, by default the likeliest classes. Where a threshold decides for the less likely
    class, both are in the set: such a scan is ambiguous.
    """
    # The margin lets a probability equal to the cutoff count, whatever way it was rounded.
    inside: NDArray[np.bool_] = probabilities >= cutoff - 1e-12
    chosen = probabilities.argmax(axis=1) if decided is None else decided
    inside[np.arange(len(inside)), chosen] = True
    return inside
