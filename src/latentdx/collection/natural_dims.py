"""Whether a source holds images or volumes, where nobody says it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Literal

from latentdx.collection.folders import walk_folder
from latentdx.collection.npz import list_npz
from latentdx.collection.public import is_public
from latentdx.collection.sources import source_kind
from latentdx.collection.store import Collection
from latentdx.core.errors import InputError, LatentdxError
from latentdx.scans.sniff import HEAD_BYTES, Kind, open_regular, sniff

_VOLUMES = ("nifti", "nrrd", "metaimage")
_LOOKED_AT = 200


def natural_dims(source: Path) -> Literal[2, 3]:
    """3 for a collection or an ``.npz`` of volumes, and for files of which all are volumes; else 2.

    Of a folder the first 200 files are looked at, by their content; NIfTI, NRRD and MetaImage are
    volumes, DICOM is read image by image. What cannot be read says nothing here.

    Examples
    --------
    >>> natural_dims(Path("no such folder"))
    2
    """
    try:
        return 3 if _holds_volumes(source) else 2
    except LatentdxError:
        return 2


def _holds_volumes(source: Path) -> bool:
    if is_public(source) or not source.exists():
        return False
    kind = source_kind(source)
    if kind == "collection":
        return Collection.open(source).dims == 3
    if kind == "npz":
        return _is_of_volumes(source)
    files = [source] if source.is_file() else walk_folder(source)
    kinds = list(_kinds(islice(files, _LOOKED_AT)))
    return bool(kinds) and all(kind in _VOLUMES for kind in kinds)


def _is_of_volumes(npz: Path) -> bool:
    try:
        list_npz(npz, 2)
    except LatentdxError as error:
        if error.code != "E_NDIM":
            raise
        return bool(list_npz(npz, 3).entries)
    return False


def _kinds(files: Iterable[Path]) -> Iterable[Kind]:
    """The kinds of those that are of one, up to the first that is no volume."""
    for path in files:
        try:
            with open_regular(path) as file:
                kind = sniff(file.read(HEAD_BYTES))
        except (InputError, OSError):
            continue
        yield kind
        if kind not in _VOLUMES:
            return
