"""Drift in a study: the reference that a model takes along, and what is compared with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from latentdx.bundle.save import AnyModel
from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.labelled_values import ValuedScans
from latentdx.collection.split import Part
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.drift_answers import Answers, class_answers, finding_answers, value_answers
from latentdx.diagnosis.drift_reference import Reference
from latentdx.diagnosis.drift_rows import reference_of, rows_of
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.report.drift import drift_of
from latentdx.report.drift_words import drift_warnings, shift_warnings
from latentdx.study.prepare import Prepared

AnyScans: TypeAlias = LabelledScans | FindingScans | ValuedScans
"""The scans of a task."""

Model = TypeVar("Model", DiagnosticModel, FindingsModel, RegressionModel)


def with_reference(model: Model, prepared: Prepared, seed: int) -> Model:
    """The model with a reference of ``tune`` and ``calibrate``, on which it was not trained."""
    generator = numpy_generator(seed, "drift reference")
    scans = scans_for(model, prepared, "tune", "calibrate")
    rows = _rows_of(model, scans, prepared, generator)
    return replace(model, reference=reference_of(rows, generator))


def drift_in(model: AnyModel, scans: AnyScans, prepared: Prepared, seed: int) -> dict[str, Any]:
    """See `drift_of`; accuracy is expected of scans that are decided alone, else of none."""
    rows = _rows_of(model, scans, prepared, numpy_generator(seed, "drift scans"))
    found = drift_of(model.reference, rows, seed)
    if model.decide_by != "scan" and found.get("expected"):
        found |= {"expected": None, "reason": "scans are decided together"}
    return found


def tell_drift(
    metrics: dict[str, Any], model: AnyModel, scans: AnyScans, prepared: Prepared, seed: int
) -> None:
    """Drift into the metrics and their warnings."""
    metrics["drift"] = drift_in(model, scans, prepared, seed)
    metrics["warnings"] += drift_warnings(metrics["drift"])


def tell_shift(
    metrics: dict[str, Any], model: AnyModel, scans: AnyScans, prepared: Prepared, seed: int
) -> None:
    """The same of a run's own test part, whose accuracy need not be foretold: it is known."""
    found = drift_in(model, scans, prepared, seed)
    if "tests" in found:
        found = {name: value for name, value in found.items() if name not in _FORETOLD}
    metrics["drift"] = found
    metrics["warnings"] += shift_warnings(found)


_FORETOLD = ("expected", "reason")


def scans_for(model: AnyModel, prepared: Prepared, *names: Part) -> AnyScans:
    """The scans of some parts, as a model of their task takes them."""
    if isinstance(model, FindingsModel):
        return prepared.load_findings(*names)
    if isinstance(model, RegressionModel):
        return prepared.load_values(*names)
    return prepared.load(*names)


def _rows_of(
    model: AnyModel, scans: AnyScans, prepared: Prepared, generator: np.random.Generator
) -> Reference:
    plain = scans if isinstance(scans, LabelledScans) else scans.scans

    def answers(rows: NDArray[np.int64]) -> Answers:
        return _answers(model, scans.take(rows))

    return rows_of(plain, answers, prepared.table, generator)


def _answers(model: AnyModel, scans: AnyScans) -> Answers:
    if isinstance(model, FindingsModel):
        assert isinstance(scans, FindingScans)
        return finding_answers(model, scans)
    if isinstance(model, RegressionModel):
        assert isinstance(scans, ValuedScans)
        return value_answers(model, scans)
    assert isinstance(scans, LabelledScans)
    return class_answers(model, scans)
