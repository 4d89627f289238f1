"""What a finished fold leaves for a run that was stopped: arrays and JSON, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from latentdx.core.files import write_atomic
from latentdx.report.fold import Fold
from latentdx.report.predictions import Predictions

_TABLES = ("probabilities", "decisions")


def write_fold(path: Path, fold: Fold, key: str) -> None:
    """Keep a fold; `key` says what it was made from."""
    told = {
        "key": key,
        "number": fold.number,
        "facts": dict(fold.facts),
        "header": list(fold.header),
        "rows": [list(row) for row in fold.rows],
        "scan_ids": list(fold.scan_ids),
        "patients": fold.predictions.patients.tolist(),
        "ordered": fold.predictions.ordered,
        "rivals": list(fold.rivals),
    }
    arrays: dict[str, NDArray[Any]] = {"labels": fold.predictions.labels, "sets": fold.sets}
    for number, made in enumerate((fold.predictions, *fold.rivals.values())):
        arrays |= {f"{name} {number}": getattr(made, name) for name in _TABLES}
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, save(whole, metadata={"told": json.dumps(told)}))


def read_fold(path: Path, key: str) -> Fold | None:
    """Undo `write_fold`; None where it is absent, damaged or of another key: it is made again."""
    try:
        with safe_open(path, "np") as file:
            told = json.loads(file.metadata()["told"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if told["key"] != key:
            return None
        own, *rivals = (_made(told, arrays, number) for number in range(len(told["rivals"]) + 1))
        return Fold(
            told["number"],
            own,
            arrays["sets"],
            dict(zip(told["rivals"], rivals, strict=True)),
            told["facts"],
            tuple(told["header"]),
            tuple(tuple(row) for row in told["rows"]),
            tuple(told["scan_ids"]),
        )
    except (OSError, SafetensorError, ValueError, LookupError, TypeError):
        return None


def _made(told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], number: int) -> Predictions:
    probabilities, decisions = (arrays[f"{name} {number}"] for name in _TABLES)
    patients = np.array(told["patients"], np.str_)
    return Predictions(arrays["labels"], patients, probabilities, decisions, told["ordered"])
