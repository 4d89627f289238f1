"""Folders of `latentdx compare` and `search` without a patient.

A comparison keeps rows: what each member says of every scan of tune, and hashes of what its
encoders have seen. A search keeps numbers over many patients alone; but settings were chosen by
them. Neither is gone on with once scans are gone: both are made again in another folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.collection.person import Person
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import LatentdxError
from latentdx.study.choice import choice_key
from latentdx.study.choice_folder import WORK
from latentdx.study.compare import ENCODERS
from latentdx.study.compare_result import Entry, read_entry, write_entry
from latentdx.study.encoder import DESCRIPTION
from latentdx.study.forget_files import Change, encoder_changes, metrics_change
from latentdx.study.forget_left import Left
from latentdx.study.forget_place import Place
from latentdx.study.prepare import open_prepared
from latentdx.study.settings import RunSettings

_LEARNING = ("train", "pretrain")
_USED = (*_LEARNING, "tune")


@dataclass
class ChoiceForgotten:
    """What is to be done in such a folder, and what is left to others."""

    changes: list[Change] = field(default_factory=list)
    retrain: list[Left] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def choice_changes(
    place: Place, person: Person, tables: dict[Path, CollectionTable]
) -> ChoiceForgotten:
    """All of a patient that a comparison or a search holds.

    Which scans it used is known where the collection is given as it was then; else it is named.
    """
    found, parts = ChoiceForgotten(), _parts_of(place, person, tables)
    if place.kind == "comparison":
        _compared(place.path, person, tables, parts, found)
    elif parts is not None and set(parts) & set(_USED):
        why = f"settings were chosen with their scans of {', '.join(parts)}"
        found.retrain.append(Left(place.path, "search", why))
    if found.changes or found.retrain:
        found.changes += metrics_change(place.path / _RESULT[place.kind])
    elif parts is None:
        why = "which scans it used is not known: give its collection, as it was, in the same call"
        found.left.append(Left(place.path, place.kind, why))
    return found


_RESULT = {"comparison": "compare.json", "search": "search.json"}


def entries_of(folder: Path) -> Iterator[tuple[Path, Entry]]:
    """What a comparison keeps of each member, by its file."""
    for path in sorted((folder / WORK).glob("*.safetensors")):
        if (entry := read_entry(path)) is not None:
            yield path, entry


def _compared(
    root: Path,
    person: Person,
    tables: dict[Path, CollectionTable],
    parts: tuple[str, ...] | None,
    found: ChoiceForgotten,
) -> None:
    whole = dict(entries_of(root))
    for path, entry in whole.items():
        found.changes += _entry_change(path, entry, person)
    # What cannot be read would be made again, and half a file is none: neither is searched.
    broken = {*(root / WORK).glob("*.safetensors"), *(root / WORK).glob(".*.tmp")} - set(whole)
    found.changes += [Change(path, "file removed", 1, path.unlink) for path in sorted(broken)]
    for folder in sorted((root / ENCODERS).glob("*")):
        if not (folder / DESCRIPTION).is_file():
            continue
        if made := encoder_changes(folder, person, list(tables.values())):
            found.changes += made
            found.retrain.append(Left(folder, "encoder", "its weights were learned from them"))
    if parts is None or set(parts) & set(_LEARNING):
        for training in sorted((root / WORK).glob("*.training")):
            found.changes += _removed(training)


def _entry_change(path: Path, entry: Entry, person: Person) -> list[Change]:
    probe = entry.probe
    own = probe.patients == person.patient
    if not own.any():
        return []
    kept = replace(
        probe,
        probabilities=probe.probabilities[:, ~own],
        labels=probe.labels[~own],
        patients=probe.patients[~own],
    )
    rows = int(own.sum())
    return [
        Change(path, "rows removed", rows, lambda: write_entry(path, replace(entry, probe=kept)))
    ]


def _removed(folder: Path) -> list[Change]:
    count = sum(path.is_file() for path in folder.rglob("*"))
    return [Change(folder, "folder removed", count, lambda: shutil.rmtree(folder))]


def _parts_of(
    place: Place, person: Person, tables: dict[Path, CollectionTable]
) -> tuple[str, ...] | None:
    """The parts in which the patient has scans; None where the collection is not at hand."""
    try:
        told: dict[str, Any] = json.loads((place.path / WORK / "settings.json").read_text())
        base = {name: told[name] for name in ("seed", "overlap") if name in told}
        wanted = told["scans"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    for path, table in tables.items():
        try:
            prepared = open_prepared(path, RunSettings(source=str(path), **base))
        except LatentdxError:
            continue
        if choice_key(prepared) == wanted:
            own = np.isin(table.scan_id, list(person.scan_ids))
            return tuple(sorted(set(prepared.split.parts[own].tolist())))
    return None
