"""Drift in a study: the reference that a model takes along, and what is compared with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.drift_rows import reference_of, rows_of
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.report.drift import drift_of
from latentdx.study.prepare import Prepared


def with_reference(model: DiagnosticModel, prepared: Prepared, seed: int) -> DiagnosticModel:
    """The model with a reference of ``tune`` and ``calibrate``, on which it was not trained."""
    generator = numpy_generator(seed, "drift reference")
    rows = rows_of(model, prepared.load("tune", "calibrate"), prepared.table, generator)
    return replace(model, reference=reference_of(rows, generator))


def drift_in(
    model: DiagnosticModel, scans: LabelledScans, prepared: Prepared, seed: int
) -> dict[str, Any]:
    """See `drift_of`; accuracy is expected of scans that are decided alone, else of none."""
    rows = rows_of(model, scans, prepared.table, numpy_generator(seed, "drift scans"))
    found = drift_of(model.reference, rows, seed)
    if model.decide_by != "scan" and found.get("expected"):
        found |= {"expected": None, "reason": "scans are decided together"}
    return found
