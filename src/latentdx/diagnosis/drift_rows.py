"""What drift is looked for in: numbers and columns of scans, one scan of each patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import CollectionTable
from latentdx.diagnosis.drift_reference import (
    MOST_PATIENTS,
    N_COMPONENTS,
    Floats,
    Reference,
    one_each,
    pixel_numbers,
)
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.outputs import Outputs
from latentdx.diagnosis.set_rule import group_key
from latentdx.features.table import put_beside

COLUMNS = ("modality", "sex", "view", "manufacturer", "age_years")
"""Columns that are compared: others name hospitals, or mean another thing elsewhere."""

_AGE_BAND = 20


@dataclass(frozen=True)
class Rows:
    """The same numbers as in a `Reference`, of M scans in one order; `patients` (M,) differ."""

    pixels: Floats
    embeddings: Floats
    probabilities: Floats
    decisions: NDArray[np.int64]
    labels: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.uint64]]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def sure(self) -> Floats:
        """The probability (M,) of the decided class."""
        found: Floats = self.probabilities[np.arange(len(self)), self.decisions]
        return found


def rows_of(
    model: DiagnosticModel,
    scans: LabelledScans,
    table: CollectionTable,
    generator: np.random.Generator,
    *,
    most: int = MOST_PATIENTS,
) -> Rows:
    """One drawn scan of each patient, of at most so many patients, each scan by itself."""
    drawn = scans.take(one_each(scans.patients, most, generator))
    outputs = model.compute(drawn.pixels, beside=drawn.beside)
    return Rows(
        pixel_numbers(drawn.pixels),
        reduced(model, outputs),
        outputs.probabilities,
        outputs.decisions,
        drawn.labels,
        column_codes(table, drawn.scan_ids.tolist()),
    )


def reduced(model: DiagnosticModel, outputs: Outputs) -> Floats:
    """The first components of the head's features, (N, E); covariates are as if not known."""
    features = outputs.embeddings
    if model.covariates is not None:
        features = put_beside(features, model.covariates.unknown(len(features)))
    found: Floats = model.head.reduced(features)[:, :N_COMPONENTS].astype(np.float64)
    return found


def reference_of(rows: Rows, generator: np.random.Generator) -> Reference:
    """A reference of the rows, each kind in an order of its own."""
    orders = [generator.permutation(len(rows)) for _ in range(3 + len(rows.columns))]
    return Reference(
        rows.pixels[orders[0]],
        rows.embeddings[orders[1]],
        rows.probabilities[orders[2]],
        rows.sure[orders[2]],
        (rows.decisions == rows.labels)[orders[2]],
        {
            name: codes[order]
            for (name, codes), order in zip(rows.columns.items(), orders[3:], strict=True)
        },
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
