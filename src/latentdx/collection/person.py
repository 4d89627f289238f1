"""`Person`: all by which one patient is known in collections, whatever they are named by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from latentdx.collection.listing import entry_path
from latentdx.collection.seen_record import patient_name, picture_name
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.scans.deidentify import pseudonym

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Person:
    """One patient, as stored.

    Attributes
    ----------
    patient: the pseudonym; ``unknown:<scan id>`` of a scan without patient.
    named: how the user named them; an identifier of the hospital's, perhaps.
    scan_ids, paths: of their scans; content_hashes: of pictures that no other patient has.
    folders: in which lie their scans and nobody else's.
    """

    patient: str
    named: str
    scan_ids: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    content_hashes: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    @property
    def seen_as(self) -> frozenset[str]:
        """The short hashes by which encoders and bundles know what they have seen of them."""
        return frozenset({patient_name(self.patient), *map(picture_name, self.content_hashes)})

    def owns(self, path: str) -> bool:
        """Whether a file is theirs: a scan's, one beside them, or one that bears their name."""
        file = entry_path(_without_quote(path))
        if file in {entry_path(own) for own in self.paths}:
            return True
        return _folder(file) in self.folders or (self.named != "" and _bears(self.named, file))


def find_person(
    name: str, key: bytes, tables: Sequence[CollectionTable], others: Iterable[str] = ()
) -> Person:
    """The patient whom the user means, in some collections.

    `name`: a pseudonym, an identifier of the user's own from which one is made by `key`, or the
    path or the id of one of their scans. `others`: pseudonyms that are known from elsewhere.

    Raises `StopError` ``E_FORGET`` where nobody, or more than one, is meant.
    """
    wanted = {name.strip(), pseudonym(name, key, "patient") or ""} - {""}
    found = wanted & set(others)
    for table in tables:
        patients = table.patient_or_scan()
        files = [entry_path(path) for path in table.path.tolist()]
        rows = np.isin(patients, list(wanted)) | np.isin(table.scan_id, list(wanted))
        rows |= np.array([path in wanted for path in files], np.bool_)
        rows |= np.isin(table.path, list(wanted))
        found |= set(patients[rows].tolist())
    if len(found) != 1:
        raise _nobody(len(found))
    return _collected(found.pop(), name.strip(), tables)


def _collected(patient: str, named: str, tables: Sequence[CollectionTable]) -> Person:
    ids, paths, pictures, folders = set[str](), set[str](), set[str](), set[str]()
    shared = set[str]()
    for table in tables:
        own = table.patient_or_scan() == patient
        ids |= set(table.scan_id[own].tolist())
        paths |= set(table.path[own].tolist())
        pictures |= set(table.content_hash[own].tolist())
        shared |= set(table.content_hash[~own].tolist())
        of_others = {_folder(path) for path in table.path[~own].tolist()}
        folders |= {_folder(path) for path in table.path[own].tolist()} - of_others
    # A pseudonym, a path or an id is no name that a file would bear.
    bears_name = "" if named in {patient, *ids, *paths} else named
    return Person(
        patient,
        bears_name,
        frozenset(ids),
        frozenset(paths),
        frozenset(pictures - shared - {""}),
        frozenset(folders - {"", "."}),
    )


def _folder(path: str) -> str:
    return entry_path(path).rpartition("/")[0]


def _bears(name: str, path: str) -> bool:
    """Whether a name stands in a path by itself: 12 is not in ``person123.png``."""
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(name)}(?![0-9A-Za-z])", path) is not None


def _without_quote(cell: str) -> str:
    """A cell of a table as it was before a ``'`` kept a spreadsheet from running it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _nobody(count: int) -> StopError:
    if count:
        found = f"{count} patients are meant by it"
        return StopError("E_FORGET", found, fix="name one: by the pseudonym in predictions.csv")
    return StopError(
        "E_FORGET",
        "no scan of such a patient is here",
        fix="give the identifier that was ingested, with the same key, or the pseudonym, or the "
        "path of one of the scans",
    )
