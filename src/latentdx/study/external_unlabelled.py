"""An evaluation without labels: decisions, drift, and what accuracy may be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.bundle.save import AnyModel
from latentdx.collection.audit import Audit, audit
from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.labelled_values import ValuedScans
from latentdx.collection.split import Split
from latentdx.collection.store import Collection
from latentdx.core.files import write_atomic, write_json
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.outputs import Outputs
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.report.drift_page import drift_page
from latentdx.report.findings_evaluate import evaluate_findings
from latentdx.report.language import in_language
from latentdx.study.assess import audit_warnings
from latentdx.study.drift import AnyScans, scans_for, tell_drift
from latentdx.study.exposure import exposure_of
from latentdx.study.external_wanted import Wanted
from latentdx.study.folder import write_csv
from latentdx.study.label_shift import SHIFTED_PREDICTIONS, refuse_label_shift, shift_in
from latentdx.study.predictions_file import case_cells
from latentdx.study.prepare import Prepared
from latentdx.study.regression_assess import evaluate_values
from latentdx.study.rules import tell_rules

SENTENCE = "The collection has no labels: nothing here says how good the decisions are."


@dataclass(frozen=True)
class Decided:
    """What a model says of the cases (M,) of a collection, whatever its task.

    `names` and `cells` are the columns of ``predictions.csv`` behind those that name the scan;
    `told` is for ``metrics.json``; `outputs` those of a model of classes.
    """

    scans: LabelledScans
    names: tuple[str, ...]
    cells: Sequence[tuple[object, ...]]
    told: dict[str, Any]
    outputs: Outputs | None = None


def evaluate_unlabelled(
    model: AnyModel, collection: Collection, out: Path, seed: int, wanted: Wanted
) -> tuple[dict[str, Any], str]:
    """Decide every scan of a collection without labels; see `evaluate_bundle` for what is written.

    ``metrics.json`` holds ``decisions`` (how many of each class or finding; of numbers
    ``predicted``, their least, median and greatest), ``drift`` and ``warnings``, and where asked
    for ``label_shift``. Raises `StopError` ``E_OPTION`` where that is asked for of other tasks.
    """
    if not isinstance(model, DiagnosticModel):
        refuse_label_shift(wanted.label_shift, "what is not one of several classes")
    table = collection.metadata()
    parts = np.full(len(table), "test")
    split = Split(parts, Split.hash_of(table, parts))
    exposure = exposure_of(model.seen, table, split.rows("test"))
    prepared = Prepared(
        *(collection, table, split),
        () if isinstance(model, RegressionModel) else model.classes,
        Audit((*audit(table, parts).findings, *exposure.findings(scored=False))),
        covariates=model.covariates,
        findings=model.findings if isinstance(model, FindingsModel) else None,
        decide_by=model.decide_by,
    )
    scans = scans_for(model, prepared, "test")
    decided = _decided(model, scans, prepared)
    metrics: dict[str, Any] = {
        "n_scans": len(decided.scans),
        "n_patients": len(np.unique(decided.scans.patients)),
        "decide_by": model.decide_by,
        **decided.told,
        "seen": exposure.as_json(scored=False),
        "warnings": [SENTENCE, *audit_warnings(prepared)],
    }
    plain = scans if isinstance(scans, LabelledScans) else scans.scans
    metrics["warnings"] += tell_rules(metrics, model.rules, prepared, plain, None, seed)
    tell_drift(metrics, model, scans, prepared, seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / SHIFTED_PREDICTIONS).unlink(missing_ok=True)
    if wanted.label_shift:
        assert isinstance(model, DiagnosticModel)
        assert decided.outputs is not None
        patients = decided.scans.patients
        shifted = shift_in(model, decided.outputs, patients, metrics["drift"], seed)
        metrics["label_shift"] = shifted.told
        if shifted.outputs is not None:
            corrected = _decided_as(model, decided.scans, shifted.outputs)
            _write(out / SHIFTED_PREDICTIONS, prepared, corrected)
    _write(out / "predictions.csv", prepared, decided)
    page = drift_page(Path(collection.path).resolve().name, metrics)
    write_atomic(out / "report.html", in_language(page, wanted.language))
    write_json(out / "metrics.json", metrics)
    return metrics, " ".join([SENTENCE, *exposure.sentences(scored=False)])


def _decided(model: AnyModel, scans: AnyScans, prepared: Prepared) -> Decided:
    if isinstance(model, RegressionModel):
        assert isinstance(scans, ValuedScans)
        return _values(model, scans)
    if isinstance(model, FindingsModel):
        assert isinstance(scans, FindingScans)
        return _findings(model, scans, prepared)
    assert isinstance(scans, LabelledScans)
    return _classes(model, scans, prepared)


def _classes(model: DiagnosticModel, scans: LabelledScans, prepared: Prepared) -> Decided:
    decided = scans.decided()
    groups = groups_in(prepared.table, decided.scan_ids.tolist(), model.column)
    cases = None if scans.cases is None else scans.together()
    outputs = model.compute(scans.pixels, groups, scans.beside, cases)
    return _decided_as(model, decided, outputs)


def _decided_as(model: DiagnosticModel, decided: LabelledScans, outputs: Outputs) -> Decided:
    counts = np.bincount(outputs.decisions, minlength=len(model.classes)).tolist()
    cells = [
        (
            model.classes[int(outputs.decisions[row])],
            *(repr(float(value)) for value in outputs.probabilities[row]),
            _names(model.classes, outputs.sets[row].tolist()),
            f"{outputs.anomaly[row]:.6f}",
        )
        for row in range(len(decided))
    ]
    told = {"decisions": dict(zip(model.classes, counts, strict=True))}
    return Decided(decided, _columns(model.classes), cells, told, outputs)


def _findings(model: FindingsModel, scans: FindingScans, prepared: Prepared) -> Decided:
    decided, names = scans.decided().scans, model.findings.names
    groups = groups_in(prepared.table, decided.scan_ids.tolist(), model.column)
    each: list[Outputs] = [one.outputs for one in evaluate_findings(model, scans, groups).each]
    found = np.stack([one.decisions == 1 for one in each], axis=1)
    cells = [
        (
            model.findings.label(found[row]),
            *(repr(float(one.probabilities[row, 1])) for one in each),
            _names(names, [bool(one.sets[row, 1]) for one in each]),
            f"{each[0].anomaly[row]:.6f}",
        )
        for row in range(len(decided))
    ]
    counts = dict(zip(names, found.sum(axis=0).tolist(), strict=True))
    none = int((~found.any(axis=1)).sum())
    told = {"decisions": {**counts, model.findings.negative: none}}
    return Decided(decided, _columns(names), cells, told)


def _values(model: RegressionModel, scans: ValuedScans) -> Decided:
    result = evaluate_values(model, scans)
    outputs = result.outputs
    cells = [
        (
            float(outputs.values[row]),
            *(float(end) if np.isfinite(end) else "" for end in outputs.intervals[row]),
            f"{outputs.look.anomaly[row]:.6f}",
        )
        for row in range(len(result.scans))
    ]
    ends = np.quantile(outputs.values, (0, 0.5, 1)).tolist()
    told = {
        "predicted": dict(zip(("least", "median", "greatest"), ends, strict=True)),
        "units": model.units,
    }
    return Decided(result.scans, ("prediction", "low", "high", "anomaly_score"), cells, told)


def _columns(names: Sequence[str]) -> tuple[str, ...]:
    shown = (f"probability:{name}" for name in names)
    return ("decision", *shown, "prediction_set", "anomaly_score")


def _names(names: Sequence[str], are_in: Sequence[bool]) -> str:
    return ";".join(name for name, is_in in zip(names, are_in, strict=True) if is_in)


def _write(path: Path, prepared: Prepared, decided: Decided) -> None:
    """One row a decided scan, or the first scan of what is decided together."""
    table, scans = prepared.table, decided.scans
    paths = dict(zip(table.scan_id.tolist(), table.path.tolist(), strict=True))
    cases = case_cells(prepared)
    header = ("path", "scan_id", "patient", *decided.names, *(("case", "paths") if cases else ()))
    rows = [
        (paths[scan_id], scan_id, str(scans.patients[row]), *cells, *cases.get(scan_id, ()))
        for row, (scan_id, cells) in enumerate(
            zip(scans.scan_ids.tolist(), decided.cells, strict=True)
        )
    ]
    write_csv(path, header, sorted(rows))
