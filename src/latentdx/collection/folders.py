"""A folder as a source: which files may be scans, and what the folders say of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from latentdx.collection.listing import PART_NAMES, Entry, SourceListing
from latentdx.core.errors import InputError, StopError

_TABLES = (".csv", ".tsv")
_TEXTS = (*_TABLES, ".txt", ".md", ".json")
_LITTER = ("thumbs.db", "desktop.ini", "ehthumbs.db")  # Windows leaves them in every folder
_MOST_CLASSES = 50
_FEW_FILES = 3


def list_folder(root: Path, *, any_name: bool = False) -> SourceListing:
    """Every file below `root` that may be a scan; its content is not looked at yet.

    Top folders named as in `PART_NAMES` are given parts; the first folder below (if any) is the
    class. Folders that look like one a patient are no classes: their scans count as unlabelled.
    A name that is no UTF-8 is an error, as it cannot be stored, unless `any_name`.
    Raises `StopError` ``E_SOURCE`` where nothing is left.
    """
    walk = _Walk(root, any_name=any_name)
    listing = SourceListing(
        root,
        "folder",
        tuple(_entry(path) for path in walk.files()),
        tables=tuple(walk.tables),
        n_skipped=walk.n_skipped,
        errors=tuple(walk.errors),
    )
    if not listing.entries:
        found = f"the folder holds no scans ({walk.n_skipped} other files)"
        raise StopError("E_SOURCE", found, fix="give a folder of scans or an .npz", path=root)
    return _without_patient_folders(listing)


def walk_folder(root: Path) -> Iterator[Path]:
    """The files of `list_folder`, one after the other as they are found."""
    return (root / path for path in _Walk(root, any_name=True).files())


class _Walk:
    """One walk through a folder; links are followed, each folder is visited once."""

    def __init__(self, root: Path, *, any_name: bool) -> None:
        self._root, self._any_name = root, any_name
        self._visited: set[tuple[int, int]] = set()
        self.tables: list[str] = []
        self.errors: list[InputError] = []
        self.n_skipped = 0

    def files(self, below: str = "") -> Iterator[str]:
        """Relative posix paths, sorted folder by folder."""
        folder = self._root / below
        try:
            if not self._is_first_visit(folder):
                self.n_skipped += 1
                return
            names = sorted(os.listdir(folder))
        except OSError as error:
            self.errors.append(InputError("E_IO", f"unreadable: {error.strerror}", path=folder))
            return
        for name in names:
            yield from self._file(below, name)

    def _file(self, below: str, name: str) -> Iterator[str]:
        path = f"{below}{name}"
        if name.startswith("."):
            self.n_skipped += 1
        elif not (self._any_name or _is_text(name)):
            told = path.encode("utf-8", "backslashreplace").decode()
            self.errors.append(
                InputError("E_PATH", "the name is no UTF-8", fix="rename it", path=told)
            )
        elif (self._root / path / "_versions").is_dir():
            self.n_skipped += 1  # a collection, perhaps the one made from this very folder
        elif (self._root / path).is_dir():
            yield from self.files(f"{path}/")
        elif (
            name.casefold().endswith(_TEXTS)
            or name.casefold() in _LITTER
            or not (self._root / path).is_file()
        ):
            self.n_skipped += 1
            if name.casefold().endswith(_TABLES):
                self.tables.append(path)
        else:
            yield path

    def _is_first_visit(self, folder: Path) -> bool:
        status = folder.stat()
        place = (status.st_dev, status.st_ino)
        is_first = place not in self._visited
        self._visited.add(place)
        return is_first


def _is_text(name: str) -> bool:
    """A name of undecodable bytes cannot be stored or printed."""
    return not any(0xD800 <= ord(letter) <= 0xDFFF for letter in name)


def _entry(path: str) -> Entry:
    folders = PurePosixPath(path).parts[:-1]
    part = PART_NAMES.get(folders[0].casefold()) if folders else None
    classes = folders[1:] if part else folders
    return Entry(path, part, classes[0] if classes else None)


def _without_patient_folders(listing: SourceListing) -> SourceListing:
    counts = Counter(entry.label for entry in listing.entries if entry.label is not None)
    n_few = sum(count < _FEW_FILES for count in counts.values())
    if len(counts) <= _MOST_CLASSES and 2 * n_few <= len(counts):
        return listing
    note = (
        f"the {len(counts)} folders look like one a patient or study, not one a class "
        f"({n_few} hold fewer than {_FEW_FILES} files): the scans count as unlabelled"
    )
    entries = tuple(replace(entry, label=None) for entry in listing.entries)
    return replace(listing, entries=entries, notes=(*listing.notes, note))
