"""What a source holds and how it is read: a folder, an ``.npz``, a collection, a public set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from latentdx.collection.folders import list_folder
from latentdx.collection.listing import Entry, SourceKind, SourceListing
from latentdx.collection.npz import list_npz, read_npz
from latentdx.collection.public import fetch_public, is_public, label_names, licence_note
from latentdx.collection.store import Collection
from latentdx.collection.tasks import SEPARATOR
from latentdx.core.errors import StopError
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Found, Sandbox
from latentdx.scans.scan import Scan


@dataclass(frozen=True)
class Reading:
    """How scans are read: the shape wanted, the processes that decode files, and files of masks by
    the first file of a scan."""

    request: Request
    sandbox: Sandbox
    masks: Mapping[str, str] = field(default_factory=dict)


def list_source(source: Path, dims: int = 2) -> SourceListing:
    """All scans of a source, nothing decoded; a single file is a folder of one.

    Raises `StopError` ``E_SOURCE`` where there is none, and the errors of `list_folder`,
    `list_npz` and `Collection.open`.

    Examples
    --------
    >>> listing = list_source(Path("scans"))  # doctest: +SKIP
    >>> listing.kind, listing.entries[0]  # doctest: +SKIP
    ('folder', Entry(path='train/NORMAL/1.png', part='train', label='NORMAL'))
    """
    if is_public(source):
        return _list_public(source, dims)
    kind = source_kind(source)
    if kind == "npz":
        return list_npz(source, dims)
    if kind == "collection":
        return _list_collection(source, dims)
    if source.is_file():
        return SourceListing(source.parent, "folder", (Entry(source.name),))
    return list_folder(source)


def _list_public(source: Path, dims: int) -> SourceListing:
    """A public set by its name: fetched, checked, its numbers given the names of their classes."""
    listing = list_npz(fetch_public(source), dims)
    names = label_names(source)
    entries = tuple(replace(entry, label=_renamed(entry.label, names)) for entry in listing.entries)
    return replace(listing, entries=entries, notes=(*listing.notes, licence_note(source)))


def _renamed(label: str | None, names: Mapping[str, str]) -> str | None:
    """The label with its names, or of several findings each, read as others."""
    if label is None:
        return None
    return SEPARATOR.join(names.get(name, name) for name in label.split(SEPARATOR))


def source_kind(source: Path) -> SourceKind:
    """Which kind of source a path is. Raises `StopError` ``E_SOURCE``."""
    if (source / "_versions").is_dir():
        return "collection"
    if source.is_dir():
        return "folder"
    if source.is_file():
        return "npz" if source.suffix.casefold() == ".npz" else "folder"
    found = "is neither a folder nor a file" if source.exists() else "does not exist"
    raise StopError("E_SOURCE", found, fix="give a folder of scans or an .npz", path=source)


def read_scans(
    listing: SourceListing, groups: Iterable[Sequence[str]], reading: Reading
) -> Iterator[Found]:
    """What each group of paths of the listed source holds, or why nothing, in their order.

    A group is one path, or the paths of the files of a series.
    """
    if listing.kind == "npz":
        yield from read_npz(listing.root, [paths[0] for paths in groups], reading.request)
    elif listing.kind == "collection":
        for scan in _read_collection(listing.root, [paths[0] for paths in groups], reading.request):
            yield (scan,)
    else:
        files = ([str(listing.root / path) for path in paths] for paths in groups)
        yield from reading.sandbox.read(files, reading.request, reading.masks)


def _list_collection(source: Path, dims: int) -> SourceListing:
    collection = Collection.open(source)
    if collection.dims != dims:
        found = "it is a collection of images" if dims == 3 else "it is a collection of volumes"
        raise StopError("E_NDIM", found, fix=f"give --dims {collection.dims}", path=source)
    table = collection.metadata()
    labels = np.where(table.is_labelled, table.label, "").tolist()
    paths = _collection_paths(collection)
    entries = tuple(
        Entry(path, part or None, label or None)
        for path, part, label in zip(paths, table.given_part.tolist(), labels, strict=True)
    )
    return SourceListing(
        source, "collection", entries, side=collection.size, channels=collection.channels
    )


def _collection_paths(collection: Collection) -> list[str]:
    """The rows' paths, led by the source's number where the same path came from two sources."""
    table = collection.metadata()
    paths: list[str] = table.path.tolist()
    counts = Counter(paths)
    sources = table.source.tolist()
    return [
        path if counts[path] == 1 else f"{source}/{path}"
        for path, source in zip(paths, sources, strict=True)
    ]


def _read_collection(root: Path, paths: Sequence[str], request: Request) -> Iterator[Scan]:
    collection = Collection.open(root)
    table = collection.metadata()
    rows = {path: index for index, path in enumerate(_collection_paths(collection))}
    indices = np.array([rows[path] for path in paths], np.int64)
    pixels = (image for batch in collection.batches(indices) for image in batch)
    masks = collection.masks(indices) if collection.has_masks else [None] * len(indices)
    for index, image, mask in zip(indices.tolist(), pixels, masks, strict=True):
        spacing = table.spacing_mm[index]
        scan = Scan(
            image,
            tuple(table.native_shape[index].tolist()),
            spacing_mm=None if np.isnan(spacing).any() else tuple(spacing.tolist()),
            orientation=str(table.orientation[index]),
            acquired=str(table.acquired[index]) or None,
            patient=str(table.patient[index]) or None,
            study=str(table.study[index]) or None,
            series=str(table.series[index]) or None,
            modality=str(table.modality[index]),
            site=str(table.site[index]) or None,
            covariates=table.covariates[index],
            conversions=table.conversions[index],
            warnings=table.warnings[index],
            file_hash=str(table.file_hash[index]),
            content_hash=str(table.content_hash[index]),
            mask=mask if mask is not None and mask.any() else None,
        )
        yield request.fit(scan)
