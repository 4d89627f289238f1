"""Diagnoses of cases: the scans of a study, or of a patient, answered for together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.cases import Cases, case_of, shown_case
from latentdx.core.errors import InputError
from latentdx.diagnosis.diagnoses import Answering, Diagnosis, each_scan
from latentdx.diagnosis.scan_groups import group_of
from latentdx.scans.scan import Scan


@dataclass(frozen=True)
class Glance:
    """What a model made of one scan, before its case is decided.

    `begun` waits for its answer, or is ``not_evaluated``; `scores` (Q,); `importance` within its
    case, None where all scans count alike; `group` is its value of the column of the prediction
    sets.
    """

    begun: Diagnosis
    case: str
    scores: NDArray[np.float32]
    importance: float | None
    group: str


def glances(model: Answering, paths: Sequence[str], scans: Sequence[Scan]) -> list[Glance]:
    """Of decoded scans that were fitted by the model's `request`."""
    scores, importance, seen = model.scored(scans)
    return [
        Glance(
            model.begun(path, scan, seen, row),
            case_of(scan, model.decide_by, f"file:{path}"),
            scores[row],
            None if importance is None else float(importance[row]),
            group_of(scan, model.column),
        )
        for row, (path, scan) in enumerate(zip(paths, scans, strict=True))
    ]


def decide_cases(
    model: Answering, seen: Sequence[Glance], *, abstain: bool = False
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
    model: Answering, scans: Iterable[Scan | str | Path], *, abstain: bool = False
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


def _decided(model: Answering, scans: Sequence[Glance], *, abstain: bool) -> Diagnosis:
    used = [scan for scan in scans if scan.begun.status == "ok"]
    told = [scan.begun for scan in used or scans]
    missing = {name for one in told for name in one.missing or ()}
    base = replace(
        told[0],
        reason=next((one.reason for one in told if one.reason is not None), None),
        anomaly_score=max(one.anomaly_score or 0.0 for one in told),
        missing=None if told[0].missing is None else tuple(sorted(missing)),
        warnings=next((one.warnings for one in told if one.warnings is not None), None),
        case=shown_case(scans[0].case, model.decide_by),
        paths=tuple(scan.begun.path for scan in used),
        left_out=tuple(scan.begun.path for scan in scans if scan.begun.status != "ok"),
    )
    if not used:
        return base
    scores, weights = _pooled(used)
    return model.concluded(replace(base, weights=weights), scores, used[0].group, abstain=abstain)


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
