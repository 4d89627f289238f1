"""`SourceListing`: the scans of one source, before any is decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentdx.core.errors import InputError

SourceKind = Literal["folder", "npz", "collection"]

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "tune": "tune",
    "calibrate": "calibrate",
    "test": "test",
    "testing": "test",
}
"""Names of folders, arrays and CSV cells, casefolded, and the part that each gives."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, series or array of a source, and what the place where it lies says of it.

    `path` is posix and relative to the source; in an npz it is ``name.npz#train/12``.
    `part` is a value of `PART_NAMES` or None, `label` the name of the class or None.
    `members` are the paths of a series of several files, the first of which is `path`.
    """

    path: str
    part: str | None = None
    label: str | None = None
    members: tuple[str, ...] = ()


def entry_path(path: str) -> str:
    """The path of the entry of which `path` names a frame, page or slice.

    Examples
    --------
    >>> entry_path("cine.dcm#frame/3"), entry_path("a.npz#train/3")
    ('cine.dcm', 'a.npz#train/3')
    """
    return _ITEM.sub("", path)


def item_of(path: str) -> str:
    """What names a frame, page or slice at the end of `path`, ``""`` where nothing does.

    Examples
    --------
    >>> item_of("cine.dcm#frame/3")
    '#frame/3'
    """
    return path[len(entry_path(path)) :]


_ITEM = re.compile(r"#(?:frame|page|slice)/\d+$")


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
