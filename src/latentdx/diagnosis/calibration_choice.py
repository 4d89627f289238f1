"""Which calibration: the one that was asked for, or by cross-validation within ``calibrate``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.calibrate import Floats, Ints, Scores
from latentdx.diagnosis.calibration_cumulative import CumulativeCalibration
from latentdx.diagnosis.calibrations import (
    CALIBRATIONS,
    Calibration,
    CalibrationChoice,
    CalibrationName,
)
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.one_error import first_within_one_error, log_losses
from latentdx.metrics.bootstrap import patient_groups

_FOLDS = 5
_FALLBACK: CalibrationName = "sigmoid"


def fit_calibration(
    choice: CalibrationChoice,
    scores: Scores,
    labels: Ints,
    patients: Sequence[str],
    *,
    seed: int,
    ordered: bool = False,
) -> Calibration:
    """A calibration fitted on scores (N, Q), labels (N,) and patients (N,) of ``calibrate``.

    ``auto`` takes what `choose_calibration` says; of `ordered` classes what it says of the step
    that parts the scans most evenly, for all steps alike.
    """
    name = choice
    if name == "auto":
        asked = _middle_step(scores, labels) if ordered else (scores, labels)
        name = choose_calibration(*asked, patients, seed=seed)
    if ordered:
        return CumulativeCalibration.fit(CALIBRATIONS[name].fit, scores, labels)
    return CALIBRATIONS[name].fit(scores, labels)


def _middle_step(scores: Scores, labels: Ints) -> tuple[Scores, Ints]:
    shares = np.array([(labels > k).mean() for k in range(scores.shape[1])])
    middle = int(np.abs(shares - 0.5).argmin())
    return scores[:, [middle]], (labels > middle).astype(np.int64)


def choose_calibration(
    scores: Scores, labels: Ints, patients: Sequence[str], *, seed: int
) -> CalibrationName:
    """The first of `CALIBRATIONS` whose log-loss is within one standard error of the best.

    Losses are of patient-grouped cross-validation; the error is that of the mean difference from
    the best, over patients: all calibrations are judged on the same scans. ``temperature``,
    simpler by a number, comes after ``sigmoid``: taken first it was chosen where it is wrong (an
    SVM's zero need not be where classes are as likely). ``sigmoid`` where a class has too few
    patients for two folds.
    """
    groups = patient_groups(patients)  # numbers: other pseudonyms give the same folds
    n_classes = len(np.unique(labels))
    if n_classes < max(2, scores.shape[1]):
        return _FALLBACK
    folds = patient_folds(labels, groups, _FOLDS, seed=derive_seed(seed, "calibration"))
    if not folds:
        return _FALLBACK
    losses = {name: _losses(name, scores, labels, folds) for name in CALIBRATIONS}
    return first_within_one_error(losses, groups)


def _losses(
    name: CalibrationName, scores: Scores, labels: Ints, folds: list[tuple[Ints, Ints]]
) -> Floats:
    """-log(probability of the label) of each scan (N,), by calibrations that have not seen it."""
    found = np.zeros(len(labels))
    for rows, out in folds:
        table = CALIBRATIONS[name].fit(scores[rows], labels[rows]).probabilities(scores[out])
        found[out] = log_losses(table, labels[out])
    return found
