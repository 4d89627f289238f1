"""Whom `forget` means, by collections, by tables of results, and by what models note."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from latentdx.bundle.load import read_seen
from latentdx.bundle.schema import DESCRIPTION
from latentdx.collection.person import Person, find_person
from latentdx.collection.seen_record import SeenRecord, patient_name
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import IntegrityError
from latentdx.scans.deidentify import pseudonym
from latentdx.study.folder import RunFolder
from latentdx.study.forget_choice import entries_of
from latentdx.study.forget_place import Place


def whom(
    name: str, key: bytes, places: Sequence[Place], tables: Sequence[CollectionTable]
) -> Person:
    """The patient in all places. Raises `StopError` ``E_FORGET``, see `find_person`."""
    kinds = ("run", "evaluation")
    tabled = [place.path for place in places if place.kind in kinds]
    predictions = [path for root in tabled for path in sorted(root.glob("*predictions.csv"))]
    known = {patient for path in predictions for patient in _patients_in(path)}
    known |= {patient for place in places for patient in _compared(place)}
    named = {name.strip(), pseudonym(name, key, "patient") or ""} - {""}
    for record in _records(places):
        known |= {one for one in named if record.names_any([patient_name(one)], key)}
    person = find_person(name, key, tables, known)
    told = (_scan_ids_in(path, person.patient) for path in predictions if path.is_file())
    ids = person.scan_ids.union(*told)
    return Person(**{**vars(person), "scan_ids": ids})


def _records(places: Sequence[Place]) -> Iterator[SeenRecord]:
    for place in places:
        bundle = place.path if place.kind == "bundle" else RunFolder(place.path).bundle
        try:
            seen = read_seen(bundle) if (bundle / DESCRIPTION).is_file() else None
        except IntegrityError:
            continue
        if seen is not None:
            yield seen


def _compared(place: Place) -> set[str]:
    """Patients on whose scans members were compared."""
    if place.kind != "comparison":
        return set()
    return {
        patient for _, entry in entries_of(place.path) for patient in entry.probe.patients.tolist()
    }


def _patients_in(path: Path) -> set[str]:
    """The pseudonyms in a table of predictions."""
    if not path.is_file():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {row.get("patient") or "" for row in csv.DictReader(file)} - {""}


def _scan_ids_in(path: Path, patient: str) -> set[str]:
    """The scans of a patient in a table of predictions."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return {row["scan_id"] for row in rows if row.get("patient") == patient}
