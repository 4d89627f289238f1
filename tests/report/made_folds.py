"""Made-up evaluations as those of a cross-validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latentdx.report.content import ReportContent
from latentdx.report.fold import Fold
from latentdx.report.left_out import Known, LeftOut
from latentdx.report.predictions import Predictions

AS_ASKED = {"coverage": 0.9, "prevalence": None, "counted": "scans"}


def left_out_of(made: ReportContent) -> tuple[LeftOut, Known]:
    """Two halves of the scans as two sites, of which models that know them do a little better."""
    folds = [
        replace(fold, scan_ids=tuple(f"{fold.number}-{row}" for row in range(len(fold.sets))))
        for fold in folds_of(made, 2)
    ]
    left_out = LeftOut("site", ("north", "south"), ("east",), tuple(folds))
    known = Known.of(folds)
    own = known.predictions
    truth = np.eye(own.probabilities.shape[1])[own.labels]
    better = replace(own, probabilities=0.7 * own.probabilities + 0.3 * truth)
    return left_out, replace(known, predictions=better)


def folds_of(made: ReportContent, n_folds: int = 4) -> list[Fold]:
    """The scans of an evaluation, dealt out by patient."""
    patients = np.arange(len(made.labels)) * 3 // 4
    own = Predictions(made.labels, patients.astype(str), made.probabilities, made.decisions)
    found = []
    for number in range(n_folds):
        rows = patients % n_folds == number
        rivals = {
            name: Predictions(own.labels, own.patients, table, table.argmax(axis=1)).take(rows)
            for name, table in made.rivals.items()
        }
        facts = {
            "parts": {"train": 120 + number, "tune": 20, "calibrate": 20, "test": int(rows.sum())},
            **{"features": "fine-grid", "strength": 1.0, "calibration": "sigmoid"},
            "threshold": 0.4 + number / 100 if len(made.classes) == 2 else None,
        }
        part = own.take(rows)
        found.append(Fold(number + 1, part, part.probabilities > 0.2, rivals, facts))
    return found


def seeds_of(made: ReportContent, n_seeds: int = 3) -> list[Fold]:
    """All scans of an evaluation, by models of other seeds."""
    patients = (np.arange(len(made.labels)) * 3 // 4).astype(str)

    def said(table: np.ndarray, number: int) -> Predictions:
        drawn = np.random.default_rng(number).random(table.shape) / 2
        moved = (table + drawn) / (table + drawn).sum(axis=1, keepdims=True)
        return Predictions(made.labels, patients, moved, moved.argmax(axis=1))

    return [
        Fold(
            number,
            said(made.probabilities, number),
            made.probabilities > 0.2,
            {name: said(table, number) for name, table in made.rivals.items()},
        )
        for number in range(2, n_seeds + 1)
    ]
