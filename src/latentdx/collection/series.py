"""Which DICOM files of a folder belong to one series, and so to one volume."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from latentdx.collection.listing import Entry, SourceListing
from latentdx.collection.sources import Reading
from latentdx.core.errors import InputError


def group_series(listing: SourceListing, reading: Reading) -> SourceListing:
    """The listing with one entry a series, named by the first of its files.

    Every file is looked into, in killable workers. Files of one series that lie in different parts
    or classes stay apart. Files with several frames, and all that is not DICOM, stay as they are;
    what cannot be read is left for the reading itself to name.
    """
    series: dict[tuple[str, str | None, str | None], list[str]] = defaultdict(list)
    lone: list[Entry] = []
    paths = (str(listing.root / entry.path) for entry in listing.entries)
    found = reading.sandbox.peek(paths, reading.request)
    for entry, outcome in zip(listing.entries, found, strict=True):
        if isinstance(outcome, InputError) or outcome.is_lone or outcome.series is None:
            lone.append(entry)
        else:
            series[outcome.series, entry.part, entry.label].append(entry.path)
    grouped = [
        Entry(paths[0], part, label, tuple(paths) if len(paths) > 1 else ())
        for (_, part, label), paths in series.items()
    ]
    entries = tuple(sorted([*lone, *grouped], key=lambda entry: entry.path))
    return replace(listing, entries=entries)
