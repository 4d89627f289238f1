"""Diagnoses of cases: the scans of a study, or of a patient, answered for together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.cases import Cases, case_of, shown_case
from latentdx.core.errors import InputError
from latentdx.diagnosis.diagnoses import Diagnosis, Reason, each_scan, why_foreign
from latentdx.diagnosis.scan_groups import group_of
from latentdx.scans.scan import Scan

if TYPE_CHECKING:
    from latentdx.diagnosis.model import DiagnosticModel


@dataclass(frozen=True)
class Glance:
    """What a model made of one scan, before its case is decided.

    `scores` (Q,); `importance` within its case, None where all scans count alike; `foreign` says
    why the scan is none that the model knows; `group` is its value of the column of the prediction
    sets.
    """

    path: str
    scan_id: str
    case: str
    scores: NDArray[np.float32]
    importance: float | None
    anomaly: float
    foreign: Reason | None
    group: str
    missing: tuple[str, ...] | None


def glances(model: DiagnosticModel, paths: Sequence[str], scans: Sequence[Scan]) -> list[Glance]:
    """Of decoded scans that were fitted by `DiagnosticModel.request`."""
    outputs = model.outputs_of(scans)
    found = []
    for row, (path, scan) in enumerate(zip(paths, scans, strict=True)):
        measure = str(outputs.strangest[row]) if outputs.foreign[row] else None
        found.append(
            Glance(
                path,
                scan.content_hash[:16],
                case_of(scan, model.decide_by, f"file:{path}"),
                outputs.scores[row],
                None if outputs.importance is None else float(outputs.importance[row]),
                round(float(outputs.anomaly[row]), 6),
                why_foreign(scan, model.gate, measure),
                group_of(scan, model.sets.column),
                None if model.covariates is None else model.covariates.missing_in(scan),
            )
        )
    return found


def decide_cases(
    model: DiagnosticModel, seen: Sequence[Glance], *, abstain: bool = False
) -> list[Diagnosis]:
    """A diagnosis a case, in the order in which they first appear.

    Scans of another kind are left out of it, and named; where all are, it is not evaluated.
    """
    cases = Cases.of([glance.case for glance in seen])
    return [
        _decided(model, [seen[row] for row in rows.tolist()], abstain=abstain)
        for rows in cases.rows()
    ]


def predict_cases(
    model: DiagnosticModel, scans: Iterable[Scan | str | Path], *, abstain: bool = False
) -> list[Diagnosis]:
    """Files that cannot be read first, then a diagnosis a case."""
    refused: list[Diagnosis] = []
    seen: list[Glance] = []
    for path, item in each_scan(model, scans):
        if isinstance(item, InputError):
            refused.append(model.quarantined(path, item))
        else:
            seen += glances(model, [path], [item])
    return refused + decide_cases(model, seen, abstain=abstain)


def _decided(model: DiagnosticModel, scans: Sequence[Glance], *, abstain: bool) -> Diagnosis:
    used = [scan for scan in scans if scan.foreign is None]
    first = (used or scans)[0]
    missing = {name for scan in used or scans for name in scan.missing or ()}
    base = Diagnosis(
        first.path,
        first.scan_id,
        "ok",
        anomaly_score=max(scan.anomaly for scan in used or scans),
        bundle=model.bundle,
        missing=None if first.missing is None else tuple(sorted(missing)),
        case=shown_case(first.case, model.decide_by),
        paths=tuple(scan.path for scan in used),
        left_out=tuple(scan.path for scan in scans if scan.foreign is not None),
    )
    if not used:
        return replace(base, status="not_evaluated", reason=first.foreign)
    scores, weights = _pooled(used)
    told = model.conclude(scores, [first.group])
    return model.answer(replace(base, weights=weights), told, 0, abstain=abstain)


def _pooled(used: Sequence[Glance]) -> tuple[NDArray[np.float32], tuple[float, ...] | None]:
    """Scores (1, Q) of a case, and how much each of its scans counts, where that differs."""
    cases = Cases.of(["one"] * len(used))
    scores = np.stack([scan.scores for scan in used])
    told = [scan.importance for scan in used if scan.importance is not None]
    if len(told) < len(used):
        return cases.pooled(scores, None), None
    importance = np.array(told, np.float32)
    weights = tuple(round(float(each), 6) for each in cases.weights(importance))
    return cases.pooled(scores, importance), weights
