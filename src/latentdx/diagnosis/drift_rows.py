"""What drift is looked for in: numbers and columns of scans, one scan of each patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import CollectionTable
from latentdx.diagnosis.drift_answers import Answers
from latentdx.diagnosis.drift_reference import MOST_PATIENTS, Reference, one_each, pixel_numbers
from latentdx.diagnosis.set_rule import group_key

COLUMNS = ("modality", "sex", "view", "manufacturer", "age_years")
"""Columns that are compared: others name hospitals, or mean another thing elsewhere."""

_AGE_BAND = 20


def rows_of(
    scans: LabelledScans,
    answers: Callable[[NDArray[np.int64]], Answers],
    table: CollectionTable,
    generator: np.random.Generator,
    *,
    most: int = MOST_PATIENTS,
) -> Reference:
    """One drawn scan of each patient, of at most so many patients: all kinds in one order.

    `answers` are those of a model to the scans at these rows, each by itself.
    """
    rows = one_each(scans.patients, most, generator)
    drawn, told = scans.take(rows), answers(rows)
    return Reference(
        pixel_numbers(drawn.pixels),
        told.embeddings,
        told.scores,
        told.sure,
        told.right,
        column_codes(table, drawn.scan_ids.tolist()),
        told.labels,
    )


def reference_of(rows: Reference, generator: np.random.Generator) -> Reference:
    """The rows as they are kept: each kind in an order of its own."""
    orders = [generator.permutation(len(rows)) for _ in range(3 + len(rows.columns))]
    return Reference(
        rows.pixels[orders[0]],
        rows.embeddings[orders[1]],
        rows.scores[orders[2]],
        rows.sure[orders[2]],
        rows.right[orders[2]],
        {
            name: codes[order]
            for (name, codes), order in zip(rows.columns.items(), orders[3:], strict=True)
        },
        None if rows.labels is None else rows.labels[orders[2]],
    )


def column_codes(table: CollectionTable, scan_ids: Sequence[str]) -> dict[str, NDArray[np.uint64]]:
    """Hashes (N,) of the values of `COLUMNS`, ages by 20 years, 0 where not known.

    Columns of which nothing is known are left out.
    """
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    part = table.take([rows[name] for name in scan_ids])
    found = {}
    for name in COLUMNS:
        told = (
            [str(getattr(part, name)[row]) for row in range(len(scan_ids))]
            if name == "modality"
            else [one.get(name, "") for one in part.covariates]
        )
        if any(told):
            codes = [int(group_key(_banded(name, value)), 16) if value else 0 for value in told]
            found[name] = np.array(codes, np.uint64)
    return found


def _banded(name: str, value: str) -> str:
    if name != "age_years":
        return value
    try:
        return str(int(float(value)) // _AGE_BAND)
    except (ValueError, OverflowError):
        return ""
