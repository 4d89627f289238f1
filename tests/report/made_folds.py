"""Made-up evaluations as those of a cross-validation."""

from __future__ import annotations

import numpy as np

from latentdx.report.content import ReportContent
from latentdx.report.fold import Fold
from latentdx.report.predictions import Predictions

AS_ASKED = {"coverage": 0.9, "prevalence": None, "counted": "scans"}


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
