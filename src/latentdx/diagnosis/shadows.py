"""Shadow models: heads like a model's own, each fitted on a random half of the patients.

What a head says of a scan that it learned from, and of the same scan had it not, is seen by fitting
many. All are fitted on the same features, with the scaling and the strength of the model's head: so
they tell what its classifier gives away, not what its encoder does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.fit_like import fit_like
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.machines_cumulative import scores_by_class
from latentdx.features.table import FeatureTable
from latentdx.metrics.bootstrap import patient_groups

_TRIES = 50


@dataclass(frozen=True)
class Shadows:
    """What M heads say of N scans: how sure each is of the label, (M, N); whom from."""

    confidences: NDArray[np.float64]
    members: NDArray[np.bool_]


def shadow_heads(
    head: Head,
    table: FeatureTable,
    *,
    n_scans: int,
    count: int,
    seed: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Shadows:
    """Fit `count` heads in pairs, each pair on one half of the patients and on the other.

    table: whose first `n_scans` rows are scans, the others copies of them. Raises `StopError`
    ``E_CLASS_SIZE`` where no half holds every class.
    """
    reduced = head.reduced(table.embeddings)
    groups = patient_groups(table.patients)
    confidences, members = [], []
    for number in range(count):
        if number % 2 == 0:
            half = _half(table, groups, seed, number)
        rows = np.flatnonzero(half if number % 2 == 0 else ~half)
        machine = fit_like(
            head, reduced[rows], table.labels[rows], table.patients[rows], len(table.classes)
        )
        scores = machine.scores(reduced[:n_scans])
        scores = scores_by_class(scores) if head.ordered else scores
        confidences.append(margins(scores, table.labels[:n_scans]))
        members.append(np.isin(np.arange(n_scans), rows))
        tell(number + 1, count)
    return Shadows(np.stack(confidences), np.stack(members))


def margins(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the label's score is above every other's, (N,), of scores (N, Q).

    Examples
    --------
    >>> margins(np.array([[2.0], [-1.0]], np.float32), np.array([1, 1])).tolist()
    [2.0, -1.0]
    >>> margins(np.array([[2.0, 1.0, 0.0]], np.float32), np.array([1])).tolist()
    [-1.0]
    """
    wide = scores.astype(np.float64)
    if wide.shape[1] == 1:
        return wide[:, 0] * (2 * labels - 1)
    own = np.arange(wide.shape[1]) == labels[:, None]
    found: NDArray[np.float64] = wide[own] - np.where(own, -np.inf, wide).max(axis=1)
    return found


def _half(
    table: FeatureTable, groups: NDArray[np.int64], seed: int, number: int
) -> NDArray[np.bool_]:
    """Rows of a random half of the patients, drawn until both halves hold every class."""
    generator = numpy_generator(seed, "shadow", number)
    n_patients = int(groups.max()) + 1
    for _ in range(_TRIES):
        chosen = generator.permutation(n_patients) < n_patients // 2
        half: NDArray[np.bool_] = chosen[groups]
        parts = (table.labels[half], table.labels[~half])
        if all(len(np.unique(part)) == len(table.classes) for part in parts):
            return half
    found = "a class has too few patients to be in both halves"
    raise StopError("E_CLASS_SIZE", found, fix="add labelled scans of its patients")
