"""Which calibration: the one that was asked for, or by cross-validation within ``calibrate``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.calibrate import Floats, Ints, Scores
from latentdx.diagnosis.calibrations import (
    CALIBRATIONS,
    Calibration,
    CalibrationChoice,
    CalibrationName,
)
from latentdx.metrics.bootstrap import patient_groups

_FOLDS = 5
_FALLBACK: CalibrationName = "sigmoid"


def fit_calibration(
    choice: CalibrationChoice, scores: Scores, labels: Ints, patients: Sequence[str], *, seed: int
) -> Calibration:
    """A calibration fitted on scores (N, Q), labels (N,) and patients (N,) of ``calibrate``.

    ``auto`` takes what `choose_calibration` says.
    """
    name = choice
    if name == "auto":
        name = choose_calibration(scores, labels, patients, seed=seed)
    return CALIBRATIONS[name].fit(scores, labels)


def choose_calibration(
    scores: Scores, labels: Ints, patients: Sequence[str], *, seed: int
) -> CalibrationName:
    """The simplest calibration whose log-loss is within one standard error of the best.

    Losses are of patient-grouped cross-validation; the error is that of the mean difference from
    the best, over patients: all calibrations are judged on the same scans. ``sigmoid`` where a
    class has too few patients for two folds.
    """
    groups = patient_groups(patients)  # numbers: other pseudonyms give the same folds
    folds = _folds(labels, groups, seed)
    if not folds:
        return _FALLBACK
    losses = {name: _losses(name, scores, labels, folds) for name in CALIBRATIONS}
    best = min(losses, key=lambda name: float(losses[name].mean()))
    for name, loss in losses.items():
        difference = loss - losses[best]
        if difference.mean() <= _standard_error(difference, groups):
            return name
    return best


def _folds(labels: Ints, groups: Ints, seed: int) -> list[tuple[Ints, Ints]]:
    """(rows to fit on, rows held out); none where a class would be missing from what is fitted."""
    from sklearn.model_selection import StratifiedGroupKFold

    classes = np.unique(labels)
    rarest = min(len(np.unique(groups[labels == label])) for label in classes)
    n_folds = min(_FOLDS, rarest)
    if n_folds < 2 or len(classes) < 2:
        return []
    drawn = derive_seed(seed, "calibration folds") % 2**32
    parts = list(
        StratifiedGroupKFold(n_folds, shuffle=True, random_state=drawn).split(
            labels, labels, groups
        )
    )
    whole = all(len(np.unique(labels[rows])) == len(classes) and len(out) for rows, out in parts)
    return parts if whole else []


def _losses(
    name: CalibrationName, scores: Scores, labels: Ints, folds: list[tuple[Ints, Ints]]
) -> Floats:
    """-log(probability of the label) of each scan (N,), by calibrations that have not seen it."""
    found = np.zeros(len(labels))
    for rows, out in folds:
        table = CALIBRATIONS[name].fit(scores[rows], labels[rows]).probabilities(scores[out])
        found[out] = -np.log(np.maximum(table[np.arange(len(out)), labels[out]], 1e-15))
    return found


def _standard_error(values: Floats, groups: NDArray[np.int64]) -> float:
    """Of the mean of values (N,), the scans of a patient counting as one."""
    sums = np.bincount(groups, values - values.mean())
    n_groups = len(sums)
    scale = n_groups / max(1, n_groups - 1)
    return float(np.sqrt(scale * (sums**2).sum()) / len(values))
