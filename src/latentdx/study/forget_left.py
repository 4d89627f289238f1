"""What stays behind when a patient is forgotten: models that learned, files of the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentdx.bundle.load import read_seen
from latentdx.bundle.schema import DESCRIPTION, read_description
from latentdx.collection.listing import entry_path
from latentdx.collection.person import Person
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import IntegrityError, LatentdxError
from latentdx.scans.deidentify import user_key
from latentdx.study.choice_folder import WORK
from latentdx.study.compare import ENCODERS
from latentdx.study.compare_result import RESULTS as COMPARED
from latentdx.study.folder import FOLD_PREDICTIONS, LEFT_OUT_PREDICTIONS
from latentdx.study.forget_place import Kind, Place
from latentdx.study.prepare import open_prepared
from latentdx.study.search_result import RESULTS as SEARCHED

LOOKED_INTO = {
    *("collection", ".work", "bundle", "config.toml", "metrics.json", "checklists.json"),
    *("report.html", "predictions.csv", "audit.json", "quarantine.csv"),
    *(FOLD_PREDICTIONS, LEFT_OUT_PREDICTIONS),
    "tracking",  # losses by epoch: numbers over all scans
}
"""What of a run is searched for a patient, or holds none."""

_LOOKED_INTO: Mapping[Kind, set[str]] = {
    "run": LOOKED_INTO,
    "comparison": {WORK, ENCODERS, *COMPARED},
    "search": {WORK, *SEARCHED},
}
_LEARNING = ("train", "tune", "calibrate", "pretrain")


@dataclass(frozen=True)
class Left:
    """Something that others have to see to, and why."""

    path: Path
    what: str
    why: str

    def as_json(self) -> dict[str, str]:
        """For ``--json``."""
        return {"path": str(self.path), "what": self.what, "why": self.why}


def learned_from(place: Place, person: Person) -> tuple[str, ...] | None:
    """The learned parts in which the patient has scans; None where the split is another now."""
    assert place.collection is not None
    assert place.settings is not None
    bundle = place.path / "bundle"
    try:
        told = read_description((bundle / DESCRIPTION).read_text(), bundle)
        prepared = open_prepared(place.collection, place.settings)
    except (LatentdxError, OSError):
        return None
    if told.split_hash != prepared.split.hash:
        return None
    own = np.isin(prepared.table.scan_id, list(person.scan_ids))
    parts = set(prepared.split.parts[own].tolist())
    return tuple(part for part in _LEARNING if part in parts)


def names_person(bundle: Path, person: Person) -> bool:
    """Whether a bundle notes that it, or what its encoder began from, has seen the patient.

    False also where it keeps no record, or one of another key: then the bundle does not tell.
    """
    try:
        seen = read_seen(bundle)
    except IntegrityError:
        return False
    return seen is not None and seen.names_any(person.seen_as, user_key())


def sources_of(place: Place, person: Person, tables: dict[Path, CollectionTable]) -> list[Left]:
    """Files of the patient that a run read and would read again, and tables that name them."""
    if place.settings is None or place.collection is None:
        return []
    settings, table = place.settings, tables[place.collection]
    roots = [Path(settings.source), *map(Path, settings.unlabelled)]
    own = np.flatnonzero(np.isin(table.scan_id, list(person.scan_ids)))
    files = {
        (int(table.source[row]), entry_path(str(table.path[row]))): None for row in own.tolist()
    }
    found = [
        Left(_file(roots[source], path), "file of the source", "the next run reads it again")
        for source, path in files
        if source < len(roots) and _file(roots[source], path).exists()
    ]
    return found + _tables_of(settings.labels, {path for _, path in files})


def _file(root: Path, path: str) -> Path:
    """The file that holds a scan: itself, or the archive of which it is a member."""
    return root if root.is_file() else root / path.partition("#")[0]


def _tables_of(labels: str | None, paths: set[str]) -> list[Left]:
    """The table of labels, where it names a file of the patient."""
    try:
        text = "" if labels is None else Path(labels).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    if labels is None or not any(path in text for path in paths):
        return []
    return [Left(Path(labels), "table of labels", "it has rows of their files")]


def left_elsewhere(place: Place) -> list[Left]:
    """What lies in a folder and is none of its files: it was not looked into."""
    known = _LOOKED_INTO.get(place.kind)
    if known is None:
        return []
    strange = {path.name for path in place.path.iterdir()} - known
    what = f"not of the {place.kind}"
    return [Left(place.path / name, what, "it was not looked into") for name in sorted(strange)]
