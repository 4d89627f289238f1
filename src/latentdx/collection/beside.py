"""`TableBeside`: a table beside the scans to be diagnosed, which says what their files do not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from latentdx.collection.manifest import ManifestRow, read_manifest
from latentdx.core.errors import StopError
from latentdx.scans.deidentify import pseudonym
from latentdx.scans.scan import Scan


@dataclass(frozen=True)
class TableBeside:
    """Rows of a table by the file or folder that they name, and how many name nothing."""

    rows: Mapping[str, ManifestRow]
    n_astray: int = 0

    def mask_of(self, paths: Sequence[str]) -> str | None:
        """The mask that is given for the scan of these files."""
        found = (self.rows[name] for name in _names(paths) if name in self.rows)
        return next((row.mask for row in found), None)

    def without_masks(self, paths: Iterable[str]) -> list[str]:
        """The paths but those of files that are masks."""
        masks = {os.path.realpath(row.mask) for row in self.rows.values() if row.mask}
        return [path for path in paths if os.path.realpath(path) not in masks]

    def told(self, paths: Sequence[str], scan: Scan, key: bytes) -> Scan:
        """The scan of these files with all that the row says; the table wins, as in ingest.

        A row may name any of the files, or a folder above them. `key` makes the pseudonyms.
        """
        row = next((self.rows[name] for name in _names(paths) if name in self.rows), None)
        if row is None:
            return scan
        covariates = {**scan.covariates, **row.covariates}
        return replace(
            scan,
            covariates=covariates,
            site=row.site or scan.site,
            patient=pseudonym(row.patient, key, "patient") or scan.patient,
            study=pseudonym(row.study, key, "study") or scan.study,
        )


def read_beside(csv_path: Path, scans: Iterable[Path]) -> TableBeside:
    """The table of files and folders that are to be diagnosed.

    Its columns are those of `read_manifest`; labels are not looked at. Paths are relative to a
    folder given, to that of a file given, to the table's own, or to the working folder.

    Raises `StopError` ``E_CSV`` where it cannot be read, or no row names a file.
    """
    found: dict[str, ManifestRow] = {}
    unplaced: set[int] | None = None
    for root in dict.fromkeys(_roots(csv_path, scans)):
        manifest = read_manifest(csv_path, root, exists=partial(_exists, root))
        for row in manifest.rows.values():
            found.setdefault(os.path.realpath(root / row.path), row)
        errors = set(manifest.errors)
        unplaced = errors if unplaced is None else unplaced & errors
    if not found:
        fix = "write paths relative to the folder of the scans"
        raise StopError("E_CSV", "no row names a file", fix=fix, path=csv_path)
    return TableBeside(found, len(unplaced or ()))


def _exists(root: Path, path: str) -> bool:
    return (root / path).exists()


def _roots(csv_path: Path, scans: Iterable[Path]) -> Iterator[Path]:
    for path in scans:
        yield path if path.is_dir() else path.parent
    yield csv_path.parent
    yield Path()


def _names(paths: Sequence[str]) -> Iterator[str]:
    real = [os.path.realpath(path) for path in paths]
    yield from real
    for path in real[:1]:
        yield from map(str, Path(path).parents)
