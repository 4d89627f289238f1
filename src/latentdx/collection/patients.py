"""Whose scan it is: from the table, from the path, declared, or from the file itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentdx.collection.listing import SourceListing
from latentdx.collection.manifest import has_patient_column
from latentdx.core.errors import InputError, StopError
from latentdx.core.hashing import hash_bytes
from latentdx.scans.deidentify import pseudonym
from latentdx.scans.sniff import HEAD_BYTES, open_regular, sniff

_SHOWN = 5


@dataclass(frozen=True)
class PatientRule:
    """How patients are told where no table does.

    `pattern` is searched in the relative path: its first group that matched, or the whole match,
    is the patient. With `one_scan_per_patient` a scan without either is a patient of its own,
    whatever its file says.
    """

    key: bytes
    pattern: re.Pattern[str] | None = None
    one_scan_per_patient: bool = False

    def patient(self, path: str, *, source: int, declared: str | None) -> str | None:
        """The pseudonym of a scan's patient, or None where only its file may tell."""
        name = declared or self._matched(path)
        if name:
            return pseudonym(name, self.key, "patient")
        if self.one_scan_per_patient:
            # By path, not by count: the name stays when files are added.
            return "scan:" + hash_bytes(str(source).encode(), path.encode())[:16]
        return None

    def _matched(self, path: str) -> str | None:
        match = self.pattern.search(path) if self.pattern else None
        if match is None:
            return None
        return next((group for group in match.groups() if group), match[0])


def compile_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """The regular expression. Raises `StopError` ``E_PATTERN``."""
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise StopError(
            "E_PATTERN",
            f"--patient-pattern {pattern!r} is no regular expression: {error}",
            fix=r"for files like person12_3.png give 'person\d+'",
        ) from None


def may_tell_patient(listing: SourceListing, path: str) -> bool:
    """Whether a scan's own file may name its patient (DICOM), or will be refused anyway."""
    if listing.kind != "folder":
        return listing.kind == "collection"
    try:
        with open_regular(listing.root / path) as file:
            return sniff(file.read(HEAD_BYTES)) == "dicom"
    except (InputError, OSError):
        return True


def patient_error(
    paths: Sequence[str], listings: Iterable[SourceListing], *, n_labelled: int, pattern: str | None
) -> StopError:
    """The error of labelled scans at `paths` of whose patient nothing is known."""
    unmatched = f" (the pattern {pattern!r} does not match them)" if pattern else ""
    shown = ", ".join(paths[:_SHOWN])
    return StopError(
        "E_PATIENT",
        f"{len(paths)} of {n_labelled} labelled scans have no patient{unmatched}: {shown}",
        fix=f"without patients, scans of one person may train and test the model: "
        f"{_ways_out(listings)}",
    )


def _ways_out(listings: Iterable[SourceListing]) -> str:
    tables = [listing.root / table for listing in listings for table in listing.tables]
    helpful: list[Path] = [table for table in tables if has_patient_column(table)]
    if helpful:
        return f"give --labels {helpful[0]}, which has a patient_id column"
    return (
        "give a table with a patient_id column (--labels CSV), or --patient-pattern REGEX for the "
        "paths, or declare --one-scan-per-patient"
    )
