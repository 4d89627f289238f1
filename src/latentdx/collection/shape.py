"""The size and the channels in which a collection is kept, where the user does not say."""

from __future__ import annotations

from typing import Literal

import numpy as np

from latentdx.collection.plan import IngestSettings, Plan
from latentdx.collection.sources import Reading, read_scans
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

SMALLEST, LARGEST = 16, 64
DEFAULT_SIZE = 64

_DRAWN = 32

Channels = Literal[1, 3]


def choose_shape(plan: Plan, settings: IngestSettings) -> tuple[int, Channels]:
    """(size, channels): the settings' or the data's own.

    An npz or a collection is kept as it is. Of a folder at most 32 evenly drawn scans are decoded:
    the size is the median of their longer sides, 16 at least and 64 at most; three channels are
    kept where most of them have real colour.
    """
    if settings.size is not None and settings.channels is not None:
        return settings.size, settings.channels
    first = plan.listings[0]
    if first.side is not None:
        side, channels = first.side, first.channels or 1
    else:
        side, channels = _of_folder(plan, settings)
    return settings.size or side, settings.channels or (3 if channels == 3 else 1)


def _of_folder(plan: Plan, settings: IngestSettings) -> tuple[int, int]:
    listing = plan.listings[0]
    drawn = np.linspace(0, len(listing.entries) - 1, min(_DRAWN, len(listing.entries)))
    paths = [listing.entries[index].path for index in drawn.astype(int)]
    request = Request(size=None, channels=None, key=settings.secret())
    reading = Reading(request, settings.workers, settings.limits)
    scans = [found for found in read_scans(listing, paths, reading) if isinstance(found, Scan)]
    if not scans:
        return DEFAULT_SIZE, 1
    sides = [max(scan.native_shape) for scan in scans]
    n_colour = sum(len(scan.pixels) == 3 for scan in scans)
    size = int(np.clip(np.median(sides), SMALLEST, LARGEST))
    return size, 3 if 2 * n_colour > len(scans) else 1
