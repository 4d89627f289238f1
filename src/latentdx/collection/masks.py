"""Masks of the user's own in a plan: which file belongs to which scan, and what that changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from latentdx.collection.listing import SourceListing
from latentdx.collection.manifest import Manifest, ManifestRow
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_json

if TYPE_CHECKING:  # a plan is made of these
    from latentdx.collection.plan import IngestSettings, Planned

MARK = "+"
"""Parts the stamp of a scan's files from that of its mask."""


def without_masks(
    listings: Sequence[SourceListing], manifests: Sequence[Manifest | None]
) -> list[SourceListing]:
    """The sources without files that a table names as masks: they are no scans."""
    return [_without(*pair) for pair in zip(listings, manifests, strict=True)]


def _without(listing: SourceListing, manifest: Manifest | None) -> SourceListing:
    rows = () if manifest is None else manifest.rows.values()
    masks = {os.path.realpath(row.mask) for row in rows if row.mask}
    if not masks or listing.kind != "folder":
        return listing
    kept = tuple(
        entry
        for entry in listing.entries
        if os.path.realpath(listing.root / entry.path) not in masks
    )
    return replace(listing, entries=kept)


def with_masks(
    scans: Iterable[Planned], manifest: Manifest | None, settings: IngestSettings
) -> Iterator[Planned]:
    """The scans with their masks, where these are read; a changed mask changes a scan's stamp."""
    rows = {} if manifest is None or not settings.takes_masks else _rows(manifest)
    for scan in scans:
        row = next((rows[path] for path in _names(scan) if path in rows), None)
        if row is None or row.mask is None:
            yield scan
        else:
            stamp = f"{scan.stamp}{MARK}{_stamp(row.mask)}"
            yield replace(scan, mask=row.mask, stamp=stamp)


def _rows(manifest: Manifest) -> dict[str, ManifestRow]:
    return {path: row for path, row in manifest.rows.items() if row.mask}


def _names(scan: Planned) -> Iterator[str]:
    """As `latentdx.collection.join.row_of` looks for the row of an entry."""
    yield scan.path
    if scan.members:
        yield from scan.members
        yield from map(str, Path(scan.path).parents)


def _stamp(mask: str) -> str:
    try:
        status = os.stat(mask)
    except (OSError, ValueError):
        return "absent"
    return hash_json([mask, status.st_size, status.st_mtime_ns])[:12]


def require_masks(
    scans: Sequence[Planned], listings: Sequence[SourceListing], settings: IngestSettings
) -> None:
    """Stop where masks are to be read, and no scan has one: `StopError` ``E_MASK``.

    A collection keeps the masks that it was made with.
    """
    is_stored = any(listing.kind == "collection" for listing in listings)
    if settings.takes_masks and not is_stored and not any(scan.mask for scan in scans):
        fix = "add the column 'mask' to the table, with the path of each scan's mask"
        asked = "--region mask" if settings.policy.region == "mask" else "masks are asked for"
        raise StopError("E_MASK", f"{asked}, and no scan has a mask", fix=fix)


def mask_notes(scans: Sequence[Planned], settings: IngestSettings) -> list[str]:
    """How many scans stay whole; where none is cropped, how many have a mask."""
    n_whole = sum(scan.mask is None for scan in scans)
    if settings.policy.region != "mask":
        n_given = len(scans) - n_whole
        return [f"{n_given} of {len(scans)} scans have a mask"] if n_given else []
    return [f"{n_whole} of {len(scans)} scans have no mask, and stay whole"] if n_whole else []


def keeps_masks(listings: Sequence[SourceListing], settings: IngestSettings) -> bool:
    """Whether a collection of these sources is to have room for masks."""
    roots = (listing.root for listing in listings if listing.kind == "collection")
    return settings.takes_masks or any(Collection.open(root).has_masks for root in roots)


def masks_of(scans: Iterable[Planned], root: Path) -> dict[str, str]:
    """Files of masks by the first file of each scan that has one, as they are opened."""
    return {str(root / scan.paths[0]): scan.mask for scan in scans if scan.mask}
