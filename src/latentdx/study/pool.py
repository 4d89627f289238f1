"""What an autoencoder learns from: the scans of some parts, in memory or streamed from the disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.engine.data import ArraySource, Source, StreamSource
from latentdx.autoencoder.engine.fit import Pool
from latentdx.collection.batches import bytes_of, levels_at
from latentdx.collection.labelled import ordered_rows
from latentdx.collection.split import Split
from latentdx.collection.store import Collection
from latentdx.metrics.bootstrap import patient_groups

_SHARE = 0.5  # of the free memory that levels may take


def training_pool(collection: Collection, split: Split) -> Pool:
    """Train and pretrain scans to learn from, tune scans to judge by; held-out ones are in none.

    Levels of 8 or 16 bits are read into memory where they take no more than half of what is free;
    else they are streamed from the collection. The order is that of the scans' ids in both cases,
    and so are the values: the same weights come of either, however the collection was written.
    """
    table = collection.metadata()
    learned = ordered_rows(table, split, "train", "pretrain")
    judged = ordered_rows(table, split, "tune")
    fits = bytes_of(collection, len(learned) + len(judged)) <= _SHARE * free_bytes()
    train, tune = (_source(collection, rows, fits=fits) for rows in (learned, judged))
    return Pool(train, tune, patient_groups(table.patient_or_scan()[learned]))


def free_bytes() -> int:
    """Memory that can be had without swapping, bytes; what a container may use, where it is less.

    Examples
    --------
    >>> free_bytes() > 0
    True
    """
    return min(_of_machine(), _of_container())


def _source(collection: Collection, rows: NDArray[np.int64], *, fits: bool) -> Source:
    return ArraySource(levels_at(collection, rows)) if fits else StreamSource(collection, rows)


def _of_machine() -> int:
    try:  # Linux: free pages and caches that can be given up
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _of_container() -> int:
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        told = (group / "memory.stat").read_text().split()
        cache = int(told[told.index("inactive_file") + 1])  # can be given up
        return max(0, limit - used + cache)
    except (OSError, ValueError):  # no such group, or no limit ("max")
        return _of_machine()
