"""Scores by which a head is calibrated and its boundary found: of calibrate, and of few labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.boundary import TRUSTED, boundary_of, middle
from latentdx.diagnosis.fit_like import fit_like
from latentdx.diagnosis.machine import Machine
from latentdx.diagnosis.out_of_fold import Learned, out_of_fold
from latentdx.diagnosis.views import Viewed
from latentdx.features.table import FeatureTable
from latentdx.metrics.bootstrap import patient_groups

if TYPE_CHECKING:
    from latentdx.diagnosis.head import Head

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_COPIES = 2  # of each scan, for machines that are fitted again


@dataclass(frozen=True)
class HeldOut:
    """Scores (N, Q) of scans that a head has not learned from, labels and patients (N,).

    `boundary`: see `Head`.
    """

    scores: Floats
    labels: Ints
    patients: NDArray[np.str_]
    boundary: float


def held_out(
    head: Head,
    table: FeatureTable,
    calibrate: Viewed,
    others: FeatureTable | None,
    *,
    n_scans: int,
    seed: int,
) -> HeldOut:
    """Of ``calibrate``, and where labels are few of ``train`` too, by folds (see `out_of_fold`).

    `table` is the head's training table of `n_scans` scans, with their copies; unlabelled `others`
    were not learned from. Where cases are decided, ``train`` is left out of the scores: its scans
    are no cases.
    """
    scores, decided = calibrate.scores(head), calibrate.decided
    found = HeldOut(scores, decided.labels, decided.patients, 0.0)
    train = table.take(np.arange(n_scans))
    known = Learned(
        head.reduced(train.embeddings), train.labels, patient_groups(train.patients.tolist())
    )
    if not known.is_few:
        return found
    own = _out_of_fold(head, table, known, _beside(head, calibrate, others), seed)
    boundary = _boundary(head, known, own, calibrate)
    if own is None or calibrate.scans.cases is not None:
        return HeldOut(scores, decided.labels, decided.patients, boundary)
    return HeldOut(
        np.concatenate([own, scores]),
        np.concatenate([train.labels, decided.labels]),
        np.concatenate([train.patients, decided.patients]),
        boundary,
    )


def _beside(head: Head, calibrate: Viewed, others: FeatureTable | None) -> Floats:
    """Reduced features of all scans that were not learned from."""
    held = head.reduced(calibrate.views[0])
    if others is None or not len(others):
        return held
    return np.concatenate([head.reduced(others.embeddings), held])


def _out_of_fold(
    head: Head, table: FeatureTable, known: Learned, others: Floats, seed: int
) -> Floats | None:
    n_scans = len(known.labels)
    copies = min(_COPIES, len(table) // n_scans - 1)
    features = head.reduced(table.embeddings[: (1 + copies) * n_scans])

    def again(rows: Ints) -> Machine:
        kept = np.concatenate([rows + number * n_scans for number in range(1 + copies)])
        return fit_like(
            head, features[kept], table.labels[kept], table.patients[kept], len(table.classes)
        )

    return out_of_fold(head.machine, again, known, others, seed=seed)


def _boundary(head: Head, train: Learned, own: Floats | None, calibrate: Viewed) -> float:
    held = calibrate.scans
    if len(held.classes) != 2 or head.ordered or train.rarest >= TRUSTED:
        return 0.0
    if own is None:
        return middle(head.machine.scores(train.features)[:, 0].astype(np.float64), train.labels)
    scores = np.concatenate([own, head.scores(calibrate.views[0])])[:, 0].astype(np.float64)
    return boundary_of(scores, np.concatenate([train.labels, held.labels]))
