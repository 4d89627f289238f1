"""``predictions.csv``: one row a test scan; and the same of all folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.cases import Cases, case_names, shown_case
from latentdx.collection.labelled import ordered_rows
from latentdx.report.evaluate import TestResult
from latentdx.report.fold import Fold
from latentdx.report.left_out import LeftOut
from latentdx.study.folder import write_csv
from latentdx.study.prepare import Prepared

Rows = list[tuple[str, ...]]


def write_predictions(path: Path, prepared: Prepared, result: TestResult) -> None:
    """One row a test scan; patients by pseudonym; probabilities whole, so that metrics follow."""
    write_csv(path, *prediction_rows(prepared, result))


def write_fold_predictions(path: Path, folds: Sequence[Fold]) -> None:
    """The rows of all folds, each with its fold behind it; nothing where there are no folds."""
    if not folds:
        return
    rows = [(*row, str(fold.number)) for fold in folds for row in fold.rows]
    write_csv(path, (*folds[0].header, "fold"), sorted(rows))


def write_left_out_predictions(path: Path, left_out: LeftOut | None) -> None:
    """The rows of all places that were left out, each with its place behind it."""
    if left_out is None:
        return
    both = zip(left_out.names, left_out.folds, strict=True)
    rows = [(*row, name) for name, fold in both for row in fold.rows]
    write_csv(path, (*left_out.folds[0].header, "left_out"), sorted(rows))


def prediction_rows(prepared: Prepared, result: TestResult) -> tuple[tuple[str, ...], Rows]:
    """The header and the sorted rows of ``predictions.csv``."""
    classes, outputs, scans = prepared.classes, result.outputs, result.scans
    paths = dict(zip(prepared.table.scan_id.tolist(), prepared.table.path.tolist(), strict=True))
    cases = case_cells(prepared, outputs.importance)
    header = (
        *("path", "scan_id", "patient", "label", "decision"),
        *(f"probability:{name}" for name in classes),
        *("prediction_set", "anomaly_score"),
        *(("case", "paths") if cases else ()),
        *(("weights",) if cases and outputs.importance is not None else ()),
    )
    rows = []
    for row, scan_id in enumerate(scans.scan_ids.tolist()):
        inside = [name for name, held in zip(classes, outputs.sets[row], strict=True) if held]
        rows.append(
            (
                *(paths[scan_id], scan_id, str(scans.patients[row])),
                *(classes[int(scans.labels[row])], classes[int(outputs.decisions[row])]),
                *(repr(float(value)) for value in outputs.probabilities[row]),
                *(";".join(inside), f"{outputs.anomaly[row]:.6f}"),
                *cases.get(scan_id, ()),
            )
        )
    return header, sorted(rows)


def case_cells(
    prepared: Prepared, importance: NDArray[np.float32] | None = None
) -> dict[str, tuple[str, ...]]:
    """Of each test case, by its first scan: what it is called, the paths of its scans.

    And their weights, where scans do not count alike. Nothing where scans are decided alone.
    """
    if prepared.decide_by == "scan":
        return {}
    rows = ordered_rows(prepared.table, prepared.split, "test")
    names, by = case_names(prepared.table, prepared.decide_by)[rows], prepared.decide_by
    cases = Cases.of(names)
    weights = cases.weights(importance)
    return {
        str(prepared.table.scan_id[rows[own[0]]]): (
            shown_case(str(names[own[0]]), by),
            ";".join(prepared.table.path[rows[own]].tolist()),
            *([";".join(f"{each:.6f}" for each in weights[own])] if importance is not None else []),
        )
        for own in cases.rows()
    }
