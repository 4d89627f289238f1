"""Files that tell of patients, without one of them: tables, examples of an audit, encoders."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as save_arrays

from latentdx.collection.person import Person
from latentdx.collection.table import CollectionTable
from latentdx.core.files import write_atomic, write_json
from latentdx.study.embeddings import scan_digests

_WARNING = "a patient was forgotten since: these numbers were measured with their scans"


@dataclass(frozen=True)
class Change:
    """One thing to be done: the file, what happens to it, how many entries go, and how."""

    path: Path
    what: str
    count: int
    do: Callable[[], None]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"path": str(self.path), "what": self.what, "count": self.count}


def table_change(path: Path, person: Person) -> list[Change]:
    """A CSV of scans without the rows of a patient."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    kept = [row for row in rows if not _is_of(dict(zip(header, row, strict=False)), person)]
    if len(kept) == len(rows):
        return []
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *kept])

    def do() -> None:
        write_atomic(path, text.getvalue())

    return [Change(path, "rows removed", len(rows) - len(kept), do)]


def _is_of(row: dict[str, str], person: Person) -> bool:
    """By patient and scan where the table has them: paths may be the same in two sources."""
    if "scan_id" in row:
        return row.get("patient") == person.patient or row["scan_id"] in person.scan_ids
    return person.owns(row.get("path", ""))


def audit_change(path: Path, person: Person) -> list[Change]:
    """``audit.json`` without the groups that show a scan of the patient; counts stay."""
    if not path.is_file():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    count = 0
    for finding in told["findings"]:
        kept = [group for group in finding["examples"] if not set(group) & person.paths]
        count += len(finding["examples"]) - len(kept)
        finding["examples"] = kept
    return [Change(path, "examples removed", count, lambda: write_json(path, told))][: count > 0]


def metrics_change(path: Path) -> list[Change]:
    """Results as JSON with a warning: they hold no rows, but were measured with the patient."""
    if not path.is_file():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    warnings = told.get("warnings", [])
    if _WARNING in warnings:
        return []
    told["warnings"] = [_WARNING, *warnings]
    return [Change(path, "warning added", 1, lambda: write_json(path, told))]


def encoder_changes(folder: Path, person: Person, tables: list[CollectionTable]) -> list[Change]:
    """An encoder's folder without what it notes of a patient; its weights stay as they are."""
    path = folder / "encoder.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    kept = [name for name in told["seen"] if name not in person.seen_as]
    found = []
    if count := len(told["seen"]) - len(kept):
        new = {**told, "seen": kept, "forgotten": told.get("forgotten", 0) + 1}
        found.append(Change(path, "hashes removed", count, lambda: write_json(path, new)))
    digests = _digests_of(person, tables)
    for kept_rows in sorted(folder.glob("embeddings-*.safetensors")):
        found += _embeddings_change(kept_rows, digests)
    return found


def _digests_of(person: Person, tables: list[CollectionTable]) -> set[bytes]:
    found = set[bytes]()
    for table in tables:
        own = np.flatnonzero(np.isin(table.scan_id, list(person.scan_ids)))
        found |= set(scan_digests(table, own))
    return found


def _embeddings_change(path: Path, digests: set[bytes]) -> list[Change]:
    arrays = load_file(path)
    own = np.array([name.tobytes() in digests for name in arrays["scans"]], np.bool_)
    if not own.any():
        return []
    kept = {name: np.ascontiguousarray(array[~own]) for name, array in arrays.items()}

    def do() -> None:
        write_atomic(path, save_arrays(kept))

    return [Change(path, "embeddings removed", int(own.sum()), do)]
