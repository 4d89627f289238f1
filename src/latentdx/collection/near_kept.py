"""`kept_near_duplicates`: looked for once a collection, then read from beside its data."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np

from latentdx.collection.near_candidates import Progress
from latentdx.collection.near_duplicates import NearPairs, near_duplicates
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.files import write_json
from latentdx.core.hashing import hash_json

KEPT_NAME = "near-duplicates.json"

_METHOD = 1
"""To be raised with every change that finds other pairs."""


def kept_near_duplicates(
    collection: Collection, table: CollectionTable, progress: Progress | None = None
) -> NearPairs:
    """As `near_duplicates`; found again only where scans, patients or the method have changed.

    Pairs are kept by scan id in ``near-duplicates.json`` in the collection's folder. Where that
    cannot be written they are found again the next time; where it is damaged, too.

    Examples
    --------
    >>> kept_near_duplicates(stored, stored.metadata()).rows.shape  # doctest: +SKIP
    (0, 2)
    """
    path = collection.path / KEPT_NAME
    key = hash_json([_METHOD, list(collection.shape), table.fingerprint()])
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")), key, table)
    except (OSError, ValueError, KeyError, TypeError):
        found = near_duplicates(collection, table, progress)
    with suppress(OSError):  # a folder that may only be read
        write_json(path, _as_json(found, key, table))
    return found


def _as_json(found: NearPairs, key: str, table: CollectionTable) -> dict[str, Any]:
    names = table.scan_id[found.rows].tolist()
    return {"key": key, "pairs": names, "agreement": found.agreement.tolist()}


def _from_json(value: dict[str, Any], key: str, table: CollectionTable) -> NearPairs:
    """Raises `ValueError` where it was made from something else."""
    if value["key"] != key:
        raise ValueError("of other scans")
    places = {name: row for row, name in enumerate(table.scan_id.tolist())}
    rows = [sorted(places[name] for name in pair) for pair in value["pairs"]]
    agreement = np.array(value["agreement"], np.float32)
    if len(rows) != len(agreement):
        raise ValueError("damaged")
    return NearPairs(np.array(rows, np.int64).reshape(-1, 2), agreement)
