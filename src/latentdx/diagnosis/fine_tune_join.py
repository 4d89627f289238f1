"""`joined`: classifier and fine-tuned network become one score, calibrated on ``calibrate``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.calibration_choice import fit_calibration
from latentdx.diagnosis.calibrations import CalibrationChoice
from latentdx.diagnosis.fine_tuned import FineTuned, spreads
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.views import Viewed


def joined(
    model: DiagnosticModel,
    tuned: FineTuned,
    calibrate: LabelledScans,
    *,
    calibration: CalibrationChoice = "sigmoid",
    seed: int = 0,
) -> DiagnosticModel:
    """The model with a fine-tuned network beside its classifier, calibrated on scores of both.

    Its threshold is where both together hold two classes for alike likely; prediction sets and
    abstention are to be fitted afterwards.
    """
    model = replace(model, tuned=tuned)
    seen = Viewed.of(calibrate, model.extract, flip=model.flip)
    own = calibrate.pooled(np.mean([view[:, model.head.width :] for view in seen.views], axis=0))
    head = replace(model.head, scales=np.stack([spreads(seen.scores(model.head)), spreads(own)]))
    scores, decided = seen.scores(head), seen.decided
    patients = decided.patients.tolist()
    fitted = fit_calibration(calibration, scores, decided.labels, patients, seed=seed)
    return replace(model, head=head.calibrated(scores, decided.labels, fitted))
