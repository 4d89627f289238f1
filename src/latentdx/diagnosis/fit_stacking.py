"""Fitting a stack: other classifiers' scores of patients they have not seen, into a logistic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.fit_linear import fit_logistic, fit_prototypes
from latentdx.diagnosis.fit_svm import fit_svm
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.machine import Floats, Machine
from latentdx.diagnosis.machines_stacking import Stacked
from latentdx.diagnosis.task import Fit, Task

_FOLDS = 3
_PARTS: dict[str, tuple[Fit, float]] = {
    "svm": (fit_svm, 1.0),
    "logistic": (fit_logistic, 0.01),
    "prototypes": (fit_prototypes, 0.5),
}


def fit_stacking(task: Task, strength: float) -> Stacked:
    """svm (C = 1), logistic (C = 0.01) and prototypes (shrunk by half) under a logistic.

    `strength` is the upper logistic's C. It learns from scores of three folds that share no
    patient; the parts are then fitted on all rows. Where folds cannot be made the parts' scores
    are averaged, each divided by its spread.
    """
    parts = {name: fit(task, value) for name, (fit, value) in _PARTS.items()}
    folds = patient_folds(task.labels, task.groups, _FOLDS, seed=0)
    if not folds:
        return _averaged(parts, task)
    told = np.zeros((len(task.labels), len(task.questions()), len(parts)), np.float32)
    for rows, held_out in folds:
        known, asked = task.take(rows), task.features[held_out]
        for place, (fit, value) in enumerate(_PARTS.values()):
            told[held_out, :, place] = fit(known, value).scores(asked)
    weights, intercepts = [], []
    for place, target in enumerate(task.questions()):
        weight, intercept = _upper(told[:, place], target, strength)
        weights.append(weight)
        intercepts.append(intercept)
    return Stacked(parts, np.stack(weights), np.array(intercepts, np.float32))


def _upper(
    scores: Floats, target: NDArray[np.int64], strength: float
) -> tuple[NDArray[np.float32], float]:
    """Weights (P,) and intercept of a logistic on scores (N, P), each divided by its spread."""
    spread = np.maximum(scores.std(axis=0), 1e-6)
    model = fit_logistic(Task(scores / spread, target, 2, target), strength)
    return (model.weights[0] / spread).astype(np.float32), float(model.intercepts[0])


def _averaged(parts: dict[str, Machine], task: Task) -> Stacked:
    told = np.stack([part.scores(task.features) for part in parts.values()], axis=2)
    spread = np.maximum(told.std(axis=0), 1e-6)
    weights = (1 / (len(parts) * spread)).astype(np.float32)
    return Stacked(parts, weights, np.zeros(len(weights), np.float32))
