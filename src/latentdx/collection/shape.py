"""The size and the channels in which a collection is kept, where the user does not say."""

from __future__ import annotations

from typing import Literal

import numpy as np

from latentdx.collection.masks import masks_of
from latentdx.collection.plan import IngestSettings, Plan
from latentdx.collection.sources import Reading, read_scans
from latentdx.core.errors import InputError
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Sandbox
from latentdx.scans.scan import Scan

SMALLEST, LARGEST = 16, 64
DEFAULT_SIZE = 64

LARGEST_CUBE, LARGEST_SPACED_CUBE = 32, 96

_DRAWN, _DRAWN_VOLUMES, _FRAMES = 32, 8, 4

Channels = Literal[1, 3]


def choose_shape(plan: Plan, settings: IngestSettings, sandbox: Sandbox) -> tuple[int, Channels]:
    """(size, channels): the settings' or the data's own.

    An npz or a collection is kept as it is. Of a folder at most 32 evenly drawn files are decoded:
    the size is the median of their scans' longer sides, 16 at least and 64 at most (of volumes 32,
    unless they are resampled to a stated spacing: then 96); three channels are kept where most of
    them have real colour.
    """
    if settings.size is not None and settings.channels is not None:
        return settings.size, settings.channels
    first = plan.listings[0]
    if first.side is not None:
        side, channels = first.side, first.channels or 1
    else:
        side, channels = _of_folder(plan, settings, sandbox)
    return settings.size or side, settings.channels or (3 if channels == 3 else 1)


def _of_folder(plan: Plan, settings: IngestSettings, sandbox: Sandbox) -> tuple[int, int]:
    scans = _drawn_scans(plan, settings, sandbox)
    if not scans:
        return DEFAULT_SIZE if settings.policy.dims == 2 else LARGEST_CUBE, 1
    sides = [max(scan.pixels.shape[1:]) for scan in scans]
    n_colour = sum(len(scan.pixels) == 3 for scan in scans)
    size = int(np.clip(np.median(sides), SMALLEST, _largest(settings)))
    return size, 3 if 2 * n_colour > len(scans) else 1


def _largest(settings: IngestSettings) -> int:
    if settings.policy.dims == 2:
        return LARGEST
    return LARGEST_CUBE if settings.policy.spacing_mm is None else LARGEST_SPACED_CUBE


def _drawn_scans(plan: Plan, settings: IngestSettings, sandbox: Sandbox) -> list[Scan]:
    listing = plan.listings[0]
    planned = [scan for scan in plan.scans if scan.source == 0]
    n_drawn = _DRAWN if settings.policy.dims == 2 else _DRAWN_VOLUMES
    drawn = np.linspace(0, len(planned) - 1, min(n_drawn, len(planned))).astype(int)
    request = Request(key=settings.secret(), policy=settings.policy)
    chosen = [planned[index] for index in drawn]
    reading = Reading(request, sandbox, masks_of(chosen, listing.root))
    outcomes = read_scans(listing, [scan.paths for scan in chosen], reading)
    return [
        item
        for found in outcomes
        if not isinstance(found, InputError)
        for item in found[:_FRAMES]
        if isinstance(item, Scan)
    ]
