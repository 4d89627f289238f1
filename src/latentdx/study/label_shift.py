"""Class shares of an evaluation's scans, estimated without labels, and probabilities by them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.drift_reference import one_each
from latentdx.diagnosis.label_shift import (
    FEWEST,
    FEWEST_OF_A_CLASS,
    Held,
    LabelShift,
    Said,
    estimate_shift,
)
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.outputs import Outputs
from latentdx.metrics.bootstrap import paired_difference
from latentdx.metrics.calibration import brier, log_loss
from latentdx.report.evaluate import TestResult
from latentdx.report.label_shift import more_than_shares, shares_told

SHIFTED_PREDICTIONS = "label-shift-predictions.csv"
MOST_PATIENTS = 1000


@dataclass(frozen=True)
class Shifted:
    """What is told of the shares, and the outputs by them; None where nothing is corrected."""

    told: dict[str, Any]
    outputs: Outputs | None = None


def shift_in(
    model: DiagnosticModel,
    outputs: Outputs,
    patients: NDArray[np.str_],
    drift: dict[str, Any],
    seed: int,
) -> Shifted:
    """Estimate the shares from one scan of each patient, and correct where all checks pass.

    Of two classes decisions stay: what a threshold is for (sensitivity, say) does not go by shares.
    Prediction sets stay, too. `drift` as in ``metrics.json``.
    """
    if (missing := _cannot_tell(model, patients)) is not None:
        return Shifted({"corrected": False, "reason": missing})
    held = _held(model)
    assert held is not None
    generator = numpy_generator(seed, "label shift")
    rows = one_each(patients, MOST_PATIENTS, generator)
    new = Said(outputs.probabilities[rows], outputs.decisions[rows])
    shift = estimate_shift(held, new, generator)
    reason = shift.reason or more_than_shares(shift, drift)
    counts = {"n_reference": len(held), "n_patients": len(new)}
    told = {**counts, **shares_told(shift, model.classes), "corrected": reason is None}
    told["reason"] = reason
    return Shifted(told, None if reason else _corrected(model, outputs, shift))


def tell_gain(shifted: Shifted, result: TestResult, seed: int) -> TestResult | None:
    """Metrics by the corrected probabilities, and Brier score and log-loss against the model's own.

    ``differences`` are paired; below 0 the correction helps. Returns the corrected result.
    """
    if shifted.outputs is None:
        return None
    before, outputs = result.predictions, shifted.outputs
    after = replace(before, probabilities=outputs.probabilities, decisions=outputs.decisions)
    shifted.told["metrics"] = {name: one.as_json() for name, one in after.metrics(seed).items()}
    shifted.told["differences"] = {
        name: paired_difference(
            metric,
            before.labels,
            after.probabilities,
            before.probabilities,
            before.patients,
            generator=numpy_generator(seed, "bootstrap"),
        ).as_json()
        for name, metric in (("brier", brier), ("log_loss", log_loss))
    }
    return replace(result, outputs=outputs, predictions=after)


def refuse_label_shift(asked: bool, task: str) -> None:
    """Raise `StopError` ``E_OPTION`` where something that has no class shares is asked for them."""
    if asked:
        fix = "leave --label-shift out: it is for classes and grades"
        raise StopError("E_OPTION", f"--label-shift with {task}", fix=fix)


def _held(model: DiagnosticModel) -> Held | None:
    assert model.reference is not None
    return Held.of(model.reference, model.head.threshold)


def _cannot_tell(model: DiagnosticModel, patients: NDArray[np.str_]) -> str | None:
    """Why shares cannot be estimated; None where they can."""
    if model.decide_by != "scan":
        return "together: scans are decided together"
    if model.reference is None:
        return "the bundle keeps no reference"
    if (held := _held(model)) is None:
        return "labels: the bundle does not keep which class its held-out patients have"
    counts = np.bincount(held.labels, minlength=len(model.classes))
    few = min(len(held), len(np.unique(patients))) < FEWEST
    if few or counts.min() < FEWEST_OF_A_CLASS:
        return f"fewer than {FEWEST} patients, or than {FEWEST_OF_A_CLASS} held-out ones of a class"
    return None


def _corrected(model: DiagnosticModel, outputs: Outputs, shift: LabelShift) -> Outputs:
    table = shift.corrected(outputs.probabilities)
    several = len(model.classes) > 2
    decisions = model.head.decide(table) if several else outputs.decisions
    return replace(outputs, probabilities=table, decisions=decisions)
