"""Which patients have a label at each point of a label curve: draws within larger draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator

FRACTIONS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0)
"""Of the patients of each class."""
FEWEST = 2
"""Patients of a class, whatever the fraction."""

Ints = NDArray[np.int64]


def budgets(labels: Ints, patients: NDArray[np.str_]) -> dict[float, tuple[int, ...]]:
    """Patients of each class by fraction; of fractions that ask for as many, the smallest.

    Examples
    --------
    >>> labels, patients = np.repeat([0, 1], [100, 300]), np.arange(400).astype(str)
    >>> budgets(labels, patients)[0.01], 0.005 in budgets(labels, patients)
    ((2, 3), True)
    """
    classes = [np.unique(patients[labels == label]) for label in np.unique(labels)]
    found: dict[float, tuple[int, ...]] = {}
    for fraction in FRACTIONS:
        counts = tuple(_count(fraction, len(members)) for members in classes)
        if counts not in found.values():
            found[fraction] = counts
    return found


def drawn(
    labels: Ints, patients: NDArray[np.str_], fraction: float, *, name: str, draw: int
) -> Ints:
    """Rows of all scans of the drawn patients.

    Each draw of a set (`name`) puts the patients of each class in one order, and a fraction takes
    the first of them: what a smaller fraction holds, a larger one holds, too.
    """
    generator = numpy_generator(0, "label curve", name, draw)
    chosen: list[str] = []
    for label in np.unique(labels):
        members = np.unique(patients[labels == label])
        order = generator.permutation(members)
        chosen += order[: _count(fraction, len(members))].tolist()
    return np.flatnonzero(np.isin(patients, chosen))


def _count(fraction: float, n_patients: int) -> int:
    return min(n_patients, max(FEWEST, round(fraction * n_patients)))
