"""What must stay together: scans of one patient, with identical pixels, or nearly equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable, StrArray

Pairs = NDArray[np.int64]


def unit_ids(table: CollectionTable, near: Pairs | None = None) -> NDArray[np.int64]:
    """(N,) the number of each scan's unit.

    Units are the connected components of scans joined by a patient, by a content hash, or by a
    pair of `near` (P, 2), rows of scans that are nearly equal. They are numbered by their smallest
    scan id: neither the order of rows nor the key of the pseudonyms changes what is drawn from
    them.
    """
    parent = list(range(len(table)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for names in (table.patient_or_scan(), table.content_hash):
        first: dict[str, int] = {}
        for index, name in enumerate(names.tolist()):
            if name:
                parent[root(index)] = root(first.setdefault(name, index))
    for one, other in [] if near is None else near.tolist():
        parent[root(one)] = root(other)
    return _numbered([root(index) for index in range(len(table))], table.scan_id)


def _numbered(roots: list[int], scan_id: StrArray) -> NDArray[np.int64]:
    numbers: dict[int, int] = {}
    found = np.empty(len(roots), np.int64)
    for index in np.argsort(scan_id, kind="stable").tolist():
        found[index] = numbers.setdefault(roots[index], len(numbers))
    return found


def groups_of(names: Iterable[str]) -> list[NDArray[np.int64]]:
    """Row numbers of each name that two rows or more share, in order of appearance."""
    rows: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        if name:
            rows[name].append(index)
    return [np.array(group, np.int64) for group in rows.values() if len(group) > 1]
