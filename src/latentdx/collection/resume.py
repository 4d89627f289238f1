"""What lies at the destination of an ingest already, and how much of it still holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latentdx.collection.plan import IngestSettings, Plan
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError


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
    """What an earlier call left: its collection, the scans that still hold, those set aside."""

    collection: Collection | None
    kept: Mapping[tuple[int, str], str]
    aside: tuple[Quarantined, ...]

    @classmethod
    def find(cls, destination: Path, plan: Plan, settings: IngestSettings) -> Stored:
        """Look at `destination`. Raises `StopError` ``E_DESTINATION`` where it holds other things.

        Of an unfinished collection, rows that no longer hold are removed; a finished one is never
        made smaller.
        """
        if not (destination / "_versions").is_dir():
            if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
                raise _destination_error(destination, "other things lie there")
            return cls(None, {}, ())
        collection = Collection.open(destination, incomplete=True)
        if _other_shape(collection, settings):
            if collection.is_complete:
                found = f"a collection of {collection.size} pixels, {collection.channels} channels"
                raise _destination_error(destination, found)
            return cls(None, {}, ())
        stamps = {(scan.source, scan.path): scan.stamp for scan in plan.scans}
        stored = collection.stamps()
        kept = {place: old[1] for place, old in stored.items() if stamps.get(place) == old[0]}
        stale = [old[1] for place, old in stored.items() if place not in kept]
        if stale and collection.is_complete:
            found = f"{len(stale)} of its {len(stored)} scans come from other files or labels"
            raise _destination_error(destination, found)
        if stale:
            collection.delete(stale)
        aside = tuple(Quarantined(**item) for item in collection.info.get("aside", ()))
        holds = tuple(item for item in aside if stamps.get((item.source, item.path)) == item.stamp)
        return cls(collection, kept, holds)


def _other_shape(collection: Collection, settings: IngestSettings) -> bool:
    return (settings.size or collection.size) != collection.size or (
        settings.channels or collection.channels
    ) != collection.channels


def _destination_error(path: Path, found: str) -> StopError:
    fix = "choose another folder, or remove this one"
    return StopError("E_DESTINATION", found, fix=fix, path=path)
