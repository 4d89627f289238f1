"""`summarise`: counts of a collection, without loading its table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import pyarrow.compute as pc

from latentdx.collection.store import Collection


@dataclass(frozen=True)
class Summary:
    """How many scans there are, how many labelled, of how many patients, with which warnings.

    A scan without a known patient counts as one of its own.
    """

    n_scans: int
    n_labelled: int
    n_patients: int
    warnings: dict[str, int]


def summarise(collection: Collection) -> Summary:
    """Count. Raises `IntegrityError` ``E_COLLECTION``."""
    table = collection.columns("label", "pretrain_only", "patient", "warnings")
    is_labelled = pc.and_(pc.is_valid(table["label"]), pc.invert(table["pretrain_only"]))
    patients = table["patient"]
    warnings: Counter[str] = Counter()
    for found in pc.value_counts(table["warnings"]).to_pylist():
        for code in json.loads(found["values"]):
            warnings[code] += found["counts"]
    return Summary(
        len(table),
        int(pc.sum(is_labelled).as_py() or 0),
        int(pc.count_distinct(patients, mode="only_valid").as_py()) + patients.null_count,
        dict(sorted(warnings.items())),
    )
