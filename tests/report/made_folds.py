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
