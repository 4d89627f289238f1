"""A finished run read back: what it said of which test scans, its settings and its warnings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentdx.core.errors import StopError
from latentdx.study.folder import LEFT_OUT_PREDICTIONS
from latentdx.study.settings import RunSettings, read_toml, settings_from

Task = Literal["classes", "ordinal", "multi-label", "regression"]
PROBABILITY = "probability:"
_MARKED = tuple("=+-@\t\r\n")


@dataclass(frozen=True)
class ToldRun:
    """What lies in the folder of a run, or of an evaluation.

    Attributes
    ----------
    name: of the folder.
    task: what its labels are.
    rows: ``predictions.csv`` by scan id.
    classes: of the columns of probabilities, in their order.
    metrics: ``metrics.json``.
    settings: ``config.toml``; None of an evaluation, which has none.
    left_out: ``left-out-predictions.csv`` by scan id; empty where no place was left out.
    """

    name: str
    task: Task
    rows: Mapping[str, Mapping[str, str]]
    classes: tuple[str, ...]
    metrics: Mapping[str, Any]
    settings: RunSettings | None
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Of its resamples."""
        return 0 if self.settings is None else self.settings.seed

    @property
    def decided(self) -> str:
        """What its rows are: ``scan``, ``study`` or ``patient``."""
        return str(self.metrics.get("decide_by", "scan"))


def read_run(folder: Path) -> ToldRun:
    """Read a run back. Raises `StopError` ``E_RUN`` where the folder holds no finished one."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
        text = (folder / "predictions.csv").read_text("utf-8")
    except (OSError, ValueError):
        raise _unfinished(folder) from None
    header, rows = _table(text)
    if not rows or not isinstance(metrics, dict) or "test" not in metrics:
        raise _unfinished(folder)
    config = folder / "config.toml"
    return ToldRun(
        folder.resolve().name,
        _task(metrics),
        rows,
        tuple(name.removeprefix(PROBABILITY) for name in header if name.startswith(PROBABILITY)),
        metrics,
        settings_from(read_toml(config), config) if config.exists() else None,
        _left_out(folder),
    )


def _table(text: str) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The columns and the rows by scan id."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = list(reader.fieldnames or [])
    return header, {row["scan_id"]: _plain(row) for row in reader if row.get("scan_id")}


def _left_out(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / LEFT_OUT_PREDICTIONS
    try:
        return _table(path.read_text("utf-8"))[1] if path.exists() else {}
    except (OSError, ValueError):
        raise _unfinished(folder) from None


def _task(metrics: Mapping[str, Any]) -> Task:
    if metrics.get("task") == "regression":
        return "regression"
    if "findings" in metrics:
        return "multi-label"
    return "ordinal" if "quadratic_kappa" in metrics["test"] else "classes"


def _plain(row: Mapping[str, str | None]) -> dict[str, str]:
    """Cells as they were before a ``'`` kept spreadsheets from running them."""
    cells = {name: value or "" for name, value in row.items() if name}
    return {
        name: cell[1:] if cell.startswith("'") and cell[1:].startswith(_MARKED) else cell
        for name, cell in cells.items()
    }


def _unfinished(folder: Path) -> StopError:
    fix = "give the folder of a finished `latentdx run` or `latentdx evaluate`"
    found = "no metrics.json and predictions.csv of a finished run"
    return StopError("E_RUN", found, fix=fix, path=folder)
