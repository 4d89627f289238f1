"""What lies at the destination of an ingest already, and how much of it still holds."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from latentdx.collection.listing import entry_path
from latentdx.collection.masks import MARK
from latentdx.collection.plan import IngestSettings, Plan, Planned
from latentdx.collection.store import Collection, StoredRow
from latentdx.core.errors import StopError
from latentdx.scans.file_hash import hash_files
from latentdx.scans.sniff import open_regular

Place = tuple[int, str]
Rows = tuple[StoredRow, ...]

# What a file may tell by itself: where a table no longer says it, the file must be asked again.
_FROM_FILE = ("patient", "study", "site", "covariates")


@dataclass(frozen=True)
class Quarantined:
    """One scan that could not be used: path relative to its source, code, and what was found."""

    path: str
    code: str
    text: str
    source: int = 0
    stamp: str = ""


@dataclass(frozen=True)
class Stored:
    """What an earlier call left, and what is to be done with it.

    Attributes
    ----------
    kept: number of stored scans of each entry that need not be read again.
    redeclared: rows of which something new is said (a label that came later), with what.
    twins: rows of files that are stored under another path, for each entry with the same bytes.
    stale: ids of rows whose file has changed, moved or gone.
    aside: what was set aside and has not changed since.
    """

    collection: Collection | None = None
    kept: Mapping[Place, int] = field(default_factory=dict)
    redeclared: tuple[tuple[Planned, Rows], ...] = ()
    twins: Mapping[Place, Rows] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    aside: tuple[Quarantined, ...] = ()

    @classmethod
    def find(cls, destination: Path, plan: Plan, settings: IngestSettings) -> Stored:
        """Look at `destination`; nothing is changed there.

        Raises `StopError` ``E_DESTINATION`` where it holds other things, a collection of another
        shape or key, a finished one that has no room for the masks that are to be read, or one
        that would lose scans or (without `may_update`) change.
        """
        if not (destination / "_versions").is_dir():
            if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
                raise _destination_error(destination, "other things lie there")
            return cls()
        collection = Collection.open(destination, incomplete=True)
        if _other_shape(collection, settings):
            if collection.is_complete:
                raise _destination_error(destination, _shape_text(collection))
            return cls()
        if settings.takes_masks and not collection.has_masks:
            if collection.is_complete:
                raise _destination_error(destination, "its scans were stored without masks")
            return cls()
        if collection.info.get("key", key_id(settings)) != key_id(settings):
            raise _destination_error(destination, "its pseudonyms were made with another key")
        return _compared(collection, plan, settings)


def key_id(settings: IngestSettings) -> str:
    """Eight hex digits by which a key is known again, and from which it cannot be guessed."""
    key = settings.secret()
    return hashlib.blake2b(b"", digest_size=4, key=key[:64], person=b"key id").hexdigest()


def _compared(collection: Collection, plan: Plan, settings: IngestSettings) -> Stored:
    by_place: dict[Place, list[StoredRow]] = defaultdict(list)
    for row in collection.stored():
        by_place[row.source, entry_path(row.path)].append(row)
    planned = {(scan.source, scan.path): scan for scan in plan.scans}
    kept: dict[Place, int] = {}
    redeclared: list[tuple[Planned, Rows]] = []
    stale: list[StoredRow] = []
    for place, rows in by_place.items():
        scan = planned.get(place)
        state = _state(scan, rows[0], may_update=settings.may_update)
        if state == "stale":
            stale += rows
            continue
        kept[place] = len(rows)
        if scan is not None and state == "redeclared":
            redeclared.append((scan, tuple(rows)))
    twins = _twins(plan, planned, by_place) if settings.may_update else {}
    _require_nothing_lost(collection, stale, planned, twins, settings)
    stamps = {place: scan.stamp for place, scan in planned.items()}
    aside = (Quarantined(**item) for item in collection.info.get("aside", ()))
    return Stored(
        collection,
        kept,
        tuple(redeclared),
        twins,
        tuple(row.scan_id for row in stale),
        tuple(i for i in aside if stamps.get((i.source, entry_path(i.path))) == i.stamp),
    )


def _state(scan: Planned | None, row: StoredRow, *, may_update: bool) -> str:
    """``kept``, ``redeclared`` (only what is said of it is new) or ``stale``."""
    if scan is None or scan.stamp != row.stamp:
        return "stale"
    if scan.declared == row.declared:
        return "kept"
    before, now = json.loads(row.declared), json.loads(scan.declared)
    is_additive = all(name in now for name in _FROM_FILE if name in before)
    return "redeclared" if may_update and is_additive else "stale"


def _twins(
    plan: Plan, planned: Mapping[Place, Planned], stored: Mapping[Place, Sequence[StoredRow]]
) -> dict[Place, Rows]:
    """Entries whose one file has the bytes of a stored one; hashed only where the size is equal."""
    by_hash: dict[str, list[StoredRow]] = {}
    for rows in stored.values():
        if rows[0].file_hash and MARK not in rows[0].stamp:
            by_hash.setdefault(rows[0].file_hash, list(rows))
    sizes = {rows[0].stamp.partition("-")[0] for rows in by_hash.values()}
    found: dict[Place, Rows] = {}
    for place, scan in planned.items():
        listing = plan.listings[scan.source]
        is_new = place not in stored and listing.kind == "folder" and not scan.members
        is_new = is_new and not scan.mask  # the same file under another mask is another scan
        if is_new and scan.stamp.partition("-")[0] in sizes:
            rows = by_hash.get(_hash_of(listing.root / scan.path), [])
            if rows:
                found[place] = tuple(rows)
    return found


def _hash_of(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return hash_files([file.read()])
    except Exception:  # the reading itself will tell why
        return ""


def _require_nothing_lost(
    collection: Collection,
    stale: Iterable[StoredRow],
    planned: Mapping[Place, Planned],
    twins: Mapping[Place, Rows],
    settings: IngestSettings,
) -> None:
    """A finished collection is never made smaller, and changed only where that was asked for."""
    if not collection.is_complete:
        return
    stale = list(stale)
    moved = {row.scan_id for rows in twins.values() for row in rows}
    gone = [
        row
        for row in stale
        if (row.source, entry_path(row.path)) not in planned and row.scan_id not in moved
    ]
    if gone:
        found = f"{len(gone)} of its {len(collection)} scans are not in these sources any more"
        fix = "give all its sources, in the same order; or choose another folder"
        raise StopError("E_DESTINATION", found, fix=fix, path=collection.path)
    if stale and not settings.may_update:
        found = f"{len(stale)} of its {len(collection)} scans come from other files or labels"
        raise _destination_error(collection.path, found)


def _other_shape(collection: Collection, settings: IngestSettings) -> bool:
    wanted = (settings.size or collection.size, settings.channels or collection.channels)
    return (*wanted, settings.policy.dims) != (
        *(collection.size, collection.channels),
        collection.dims,
    )


def _shape_text(collection: Collection) -> str:
    kind = "volumes" if collection.dims == 3 else "images"
    return f"a collection of {kind}, {collection.size} pixels, {collection.channels} channels"


def _destination_error(path: Path, found: str) -> StopError:
    fix = "choose another folder, or remove this one"
    return StopError("E_DESTINATION", found, fix=fix, path=path)
