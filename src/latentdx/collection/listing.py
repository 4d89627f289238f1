"""`SourceListing`: the scans of one source, before any is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentdx.core.errors import InputError

SourceKind = Literal["folder", "npz", "collection"]

PART_NAMES = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "tune": "tune",
    "calibrate": "calibrate",
    "test": "test",
}
"""Names of folders, arrays and CSV cells, casefolded, and the part that each gives."""


@dataclass(frozen=True)
class Entry:
    """One scan of a source: its path there, and what the place where it lies says of it.

    `path` is posix and relative to the source; in an npz it is ``name.npz#train/12``.
    `part` is a value of `PART_NAMES` or None, `label` the name of the class or None.
    """

    path: str
    part: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class SourceListing:
    """All scans of one source, in sorted order.

    Attributes
    ----------
    root: the source itself.
    entries: one a scan.
    tables: CSV files found in the folder, relative (not scans).
    n_skipped: hidden files, tables and texts, links seen twice, FIFOs and devices.
    side, channels: of the largest image where the source is an npz or a collection, else None.
    notes: what the user should know, in words.
    errors: folders that could not be read.
    """

    root: Path
    kind: SourceKind
    entries: tuple[Entry, ...]
    tables: tuple[str, ...] = ()
    n_skipped: int = 0
    side: int | None = None
    channels: int | None = None
    notes: tuple[str, ...] = ()
    errors: tuple[InputError, ...] = ()
