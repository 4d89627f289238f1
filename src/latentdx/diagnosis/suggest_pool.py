"""`Pool` and `Chosen`: the scans that may be suggested for a label, and those that are so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_BLOCK = 1024
_SAME = 1e-6  # squared distance below which scans are copies, for rows of unit mean square


@dataclass(frozen=True)
class Pool:
    """Scans that may be seen, labelled or not; none of a held-out part is among them.

    Attributes
    ----------
    features: float32 (N, D), rows of unit mean square (see `latentdx.diagnosis.suggest.scaled`).
    labels: int (N,), indices of `classes`, -1 where there is none.
    patients: int (N,), scans of one patient have the same number.
    open: bool (N,), unlabelled scans that may be suggested.
    """

    features: Floats
    labels: Ints
    patients: Ints
    open: Mask
    classes: tuple[str, ...]

    @property
    def labelled(self) -> Ints:
        """Rows with a label, ascending."""
        return np.flatnonzero(self.labels >= 0)

    @property
    def n_seen(self) -> int:
        """Number of classes that have a label."""
        return len(np.unique(self.labels[self.labelled]))

    def to_labelled(self) -> Floats:
        """Squared distances (N,) to the nearest labelled row, infinite where there is none."""
        from scipy.spatial.distance import cdist

        found = np.full(len(self.labels), np.inf, np.float32)
        if len(rows := self.labelled):
            for start in range(0, len(found), _BLOCK):
                block = self.features[start : start + _BLOCK]
                apart = cdist(block, self.features[rows], "sqeuclidean")
                found[start : start + _BLOCK] = apart.min(axis=1)
        return found

    def squared_to(self, row: int) -> Floats:
        """Squared distances (N,) to one row."""
        return squared(self.features, self.features[row])


@dataclass(frozen=True)
class Suggestion:
    """One scan worth a label.

    `row` in the pool; `score`, higher is more wanted, comparable within one strategy only; `why` in
    words; `guess` of a classifier of the labels so far, an index of the classes, -1 where there is
    none yet; `confidence`, the probability that it gives to its guess, not calibrated, or None.
    """

    row: int
    score: float
    why: str
    guess: int = -1
    confidence: float | None = None


class Chosen:
    """Suggestions so far, and which scans are left.

    A pick closes its copies, and with `by_patient` its patient.
    """

    def __init__(self, pool: Pool, n: int, *, by_patient: bool) -> None:
        self._pool, self._n, self.by_patient = pool, n, by_patient
        self.left = pool.open.copy()
        self.left &= pool.to_labelled() > _SAME
        self.suggestions: list[Suggestion] = []

    @property
    def is_done(self) -> bool:
        """Whether there are enough of them, or no scan is left."""
        return len(self.suggestions) >= self._n or not self.left.any()

    @property
    def n_wanted(self) -> int:
        """How many are still to be found."""
        return self._n - len(self.suggestions)

    def add(self, row: int, score: float, why: str) -> None:
        """Suggest a scan that is left."""
        assert self.left[row]
        self.suggestions.append(Suggestion(row, float(score), why))
        self.left &= self._pool.squared_to(row) > _SAME
        if self.by_patient:
            self.left &= self._pool.patients != self._pool.patients[row]
        self.left[row] = False


def squared(features: Floats, point: Floats) -> Floats:
    """Squared distances (N,) of rows (N, D) to a point (D,)."""
    found: Floats = ((features - point) ** 2).sum(axis=1)
    return found
