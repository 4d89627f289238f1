"""What `latentdx predict --csv` writes: a row a scan, or a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_values(path: Path, found: list[Any], model: Any) -> None:
    """One row a scan or case of a model of numbers, safe for spreadsheets."""
    from latentdx.study.folder import write_csv

    names, cells = _further(found, model)
    header = ("path", "scan_id", "status", "value", "low", "high", "anomaly_score", "reason")
    rows = [
        (
            *(item.path, item.scan_id, item.status),
            *("" if each is None else each for each in (item.value, *(item.interval or ("", "")))),
            "" if item.anomaly_score is None else item.anomaly_score,
            item.reason.code if item.reason else "",
            *more,
        )
        for item, more in zip(found, cells, strict=True)
    ]
    write_csv(path, (*header, *names), rows)


def write_table(path: Path, found: list[Any], model: Any) -> None:
    """One row a scan, safe for spreadsheets."""
    from latentdx.study.folder import write_csv

    classes = model.classes
    names, cells = _further(found, model)
    header = ("path", "scan_id", "status", "label", *(f"probability:{c}" for c in classes),
              "prediction_set", "anomaly_score", "reason", *names)  # fmt: skip
    rows = [
        (
            *(item.path, item.scan_id, item.status, item.label or ""),
            *((item.probabilities or {}).get(name, "") for name in classes),
            *(
                ";".join(item.prediction_set),
                "" if item.anomaly_score is None else item.anomaly_score,
            ),
            item.reason.code if item.reason else "",
            *more,
        )
        for item, more in zip(found, cells, strict=True)
    ]
    write_csv(path, header, rows)


def _further(found: list[Any], model: Any) -> tuple[list[str], list[list[str]]]:
    """Columns of models that read covariates, or decide cases: their names, and cells by row."""
    reads, joins = model.covariates is not None, model.decide_by != "scan"
    weighs = any(item.weights is not None for item in found)
    warns = any(item.warnings is not None for item in found)
    told = (
        *(("missing_covariates", reads), ("case", joins), ("paths", joins), ("weights", weighs)),
        ("warnings", warns),
    )
    names = [name for name, is_told in told if is_told]
    cells = [
        {
            "missing_covariates": ";".join(item.missing or ()),
            "case": item.case or "",
            "paths": ";".join(item.paths or ()),
            "weights": ";".join(map(str, item.weights or ())),
            "warnings": ";".join(item.warnings or ()),
        }
        for item in found
    ]
    return names, [[row[name] for name in names] for row in cells]
