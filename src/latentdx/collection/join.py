"""A table joined to what lies in the sources: which row speaks of which scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from latentdx.collection.listing import Entry, SourceListing
from latentdx.collection.manifest import Manifest, ManifestRow, read_manifest
from latentdx.core.errors import InputError, StopError


def read_manifests(listings: Sequence[SourceListing], labels: Path | None) -> list[Manifest | None]:
    """The table as each source sees it. Raises `StopError` ``E_CSV`` where no row fits any."""
    if labels is None:
        return [None] * len(listings)
    found = [_manifest(labels, listing) for listing in listings]
    if not any(manifest.rows for manifest in found):
        error = next(iter(found[0].errors.values()), None)
        example = f": {error.path}, say" if error else ""
        first = next((f", such as {entry.path}" for entry in listings[0].entries), "")
        raise StopError(
            "E_CSV",
            f"no row names a scan of the source{example}",
            fix=f"write paths relative to {listings[0].root}{first}",
            path=labels,
        )
    return list(found)


def _manifest(labels: Path, listing: SourceListing) -> Manifest:
    if listing.kind == "folder":
        # A folder may stand for the series in it.
        n_members = sum(len(entry.members) for entry in listing.entries)
        exists = (lambda path: (listing.root / path).exists()) if n_members else None
        return read_manifest(labels, listing.root, exists=exists)
    paths = {entry.path for entry in listing.entries}
    return read_manifest(labels, listing.root, exists=paths.__contains__)


def row_errors(manifests: Sequence[Manifest | None]) -> Iterator[InputError]:
    """Rows that fit no source."""
    tables = [manifest for manifest in manifests if manifest is not None]
    for number, error in tables[0].errors.items() if tables else ():
        if all(number in manifest.errors for manifest in tables):
            yield error


def with_rows(listing: SourceListing, manifest: Manifest | None) -> SourceListing:
    """Files that the walk left out, hidden ones say, are scans where the table names them."""
    if manifest is None:
        return listing
    known = {name for entry in listing.entries for name in _names(entry)}
    named = tuple(Entry(path) for path in manifest.rows if path not in known)
    return replace(listing, entries=(*listing.entries, *named))


def _names(entry: Entry) -> Iterator[str]:
    """The paths by which a table may name an entry: its own, its files', the folders above."""
    yield entry.path
    if entry.members:
        yield from entry.members
        yield from (str(folder) for folder in PurePosixPath(entry.path).parents)


def row_of(entry: Entry, manifest: Manifest | None) -> ManifestRow | None:
    """The row that names an entry, by its own path, that of one of its files, or their folder."""
    rows = manifest.rows if manifest else {}
    return next((rows[name] for name in _names(entry) if name in rows), None)


def label_of(entry: Entry, row: ManifestRow | None, manifest: Manifest | None) -> str | None:
    """The label that the table gives, or else the folder."""
    if manifest is not None and manifest.has_labels:
        return row.label if row else None
    return entry.label
