"""An evaluation without labels: decisions, drift, and what accuracy may be expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from latentdx.collection.audit import audit
from latentdx.collection.split import Split
from latentdx.collection.store import Collection
from latentdx.core.files import write_atomic, write_json
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.outputs import Outputs
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.report.drift_page import drift_page
from latentdx.report.drift_words import drift_warnings
from latentdx.report.language import Language, in_language
from latentdx.study.assess import audit_warnings
from latentdx.study.drift import drift_in
from latentdx.study.folder import write_csv
from latentdx.study.prepare import Prepared

SENTENCE = "The collection has no labels: nothing here says how good the decisions are."


def evaluate_unlabelled(
    model: DiagnosticModel, collection: Collection, out: Path, seed: int, language: Language
) -> tuple[dict[str, Any], str]:
    """Decide every scan of a collection without labels; see `evaluate_bundle` for what is written.

    ``metrics.json`` holds ``decisions`` (how many of each class), ``drift`` and ``warnings``.
    """
    table = collection.metadata()
    parts = np.full(len(table), "test")
    split = Split(parts, Split.hash_of(table, parts))
    prepared = Prepared(
        collection, table, split, model.classes, audit(table, parts),
        covariates=model.covariates, decide_by=model.decide_by,
    )  # fmt: skip
    scans = prepared.load("test")
    cases = None if scans.cases is None else scans.together()
    decided = scans.decided()
    groups = groups_in(table, decided.scan_ids.tolist(), model.sets.column)
    outputs = model.compute(scans.pixels, groups, scans.beside, cases)
    drift = drift_in(model, scans, prepared, seed)
    counts = np.bincount(outputs.decisions, minlength=len(model.classes)).tolist()
    metrics: dict[str, Any] = {
        "n_scans": len(decided),
        "n_patients": len(np.unique(decided.patients)),
        "decide_by": model.decide_by,
        "decisions": dict(zip(model.classes, counts, strict=True)),
        "drift": drift,
        "warnings": [SENTENCE, *audit_warnings(prepared), *drift_warnings(drift)],
    }
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "predictions.csv", prepared, outputs, decided.scan_ids.tolist())
    page = drift_page(Path(collection.path).resolve().name, metrics)
    write_atomic(out / "report.html", in_language(page, language))
    write_json(out / "metrics.json", metrics)
    return metrics, SENTENCE


def _write(path: Path, prepared: Prepared, outputs: Outputs, scan_ids: list[str]) -> None:
    """One row a decided scan, or the first scan of what is decided together."""
    table, classes = prepared.table, prepared.classes
    at = {name: row for row, name in enumerate(table.scan_id.tolist())}
    patients = table.patient_or_scan()
    header = (
        *("path", "scan_id", "patient", "decision"),
        *(f"probability:{name}" for name in classes),
        *("prediction_set", "anomaly_score"),
    )
    rows = []
    for row, scan_id in enumerate(scan_ids):
        held = zip(classes, outputs.sets[row], strict=True)
        rows.append(
            (
                *(str(table.path[at[scan_id]]), scan_id, str(patients[at[scan_id]])),
                classes[int(outputs.decisions[row])],
                *(repr(float(value)) for value in outputs.probabilities[row]),
                ";".join(name for name, is_held in held if is_held),
                f"{outputs.anomaly[row]:.6f}",
            )
        )
    write_csv(path, header, sorted(rows))
