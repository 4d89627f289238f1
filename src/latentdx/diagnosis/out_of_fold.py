"""What a machine would say of the scans it learned from, had it not: scores of folds held out.

Where labels are few a calibrate part of a handful of scans says little. Machines fitted on some
folds of ``train`` give scores to the others, but each has an intercept and a spread of its own, the
more so the fewer scans it has seen. So their scores are told relative to those that they give to
scans without a label, in deviations from the median, and put on the machine's own scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.machine import Machine
from latentdx.diagnosis.simplest import FOLDS, TUNING_SCANS

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
FitAgain = Callable[[Ints], Machine]

ENOUGH = 200
"""Patients of the rarest class from which on labels are not few."""
FEWEST = 10
"""Scans without a label whose median and deviation say something."""


@dataclass(frozen=True)
class Learned:
    """Scans of ``train``: reduced features (N, D), labels (N,), numbers of their patients (N,)."""

    features: Floats
    labels: Ints
    groups: Ints

    @property
    def rarest(self) -> int:
        """Patients of the class that has the fewest."""
        return min(len(np.unique(self.groups[self.labels == k])) for k in np.unique(self.labels))

    @property
    def is_few(self) -> bool:
        """Whether folds are worth their time: labels are few, and so are scans."""
        return self.rarest < ENOUGH and len(self.labels) <= TUNING_SCANS


def out_of_fold(
    machine: Machine, again: FitAgain, train: Learned, others: Floats, *, seed: int
) -> Floats | None:
    """Scores (N, Q) of `train`, as `machine` gives them to scans that it has not learned from.

    `again` fits a machine like it on some rows of `train`; `others` (M, D) are reduced features of
    scans that no machine learns from. None where there are fewer than `FEWEST` of those, or where
    a class has too few patients for two folds.
    """
    seed = derive_seed(seed, "out of fold")
    folds = patient_folds(train.labels, train.groups, FOLDS, seed=seed)
    if not folds or len(others) < FEWEST:
        return None
    centre, spread = _level(machine.scores(others))
    found = np.empty((len(train.labels), len(centre)), np.float32)
    for rows, out in folds:
        fold = again(rows)
        middle, width = _level(fold.scores(others))
        found[out] = centre + spread * (fold.scores(train.features[out]) - middle) / width
    return found


def _level(scores: Floats) -> tuple[Floats, Floats]:
    """Medians and deviations (Q,) of scores (N, Q); 1 where there is none."""
    spread = scores.std(axis=0, dtype=np.float64).astype(np.float32)
    return np.median(scores, axis=0), np.where(spread > 1e-6, spread, np.float32(1))
