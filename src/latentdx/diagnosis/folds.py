"""Folds that keep patients apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import derive_seed

Ints = NDArray[np.int64]


def patient_folds(labels: Ints, groups: Ints, most: int, *, seed: int) -> list[tuple[Ints, Ints]]:
    """(rows to fit on, rows held out), as many as `most` at most.

    None where a class would be missing from what is fitted. `labels` and `groups` (numbers of the
    patients) are int (N,).

    Examples
    --------
    >>> folds = patient_folds(np.arange(8) % 2, np.arange(8), 5, seed=0)
    >>> [(len(rows), len(held_out)) for rows, held_out in folds]
    [(6, 2), (6, 2), (6, 2), (6, 2)]
    >>> patient_folds(np.arange(8) % 2, np.arange(8) % 2, 5, seed=0)
    []
    """
    from sklearn.model_selection import StratifiedGroupKFold

    rarest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if (n_folds := min(most, rarest)) < 2:
        return []
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=derive_seed(seed) % 2**32)
    parts = list(splitter.split(labels, labels, groups))
    n_classes = int(labels.max()) + 1
    whole = all(len(np.unique(labels[rows])) == n_classes and len(out) for rows, out in parts)
    return parts if whole else []
