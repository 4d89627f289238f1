"""Faults planted on purpose, so that an audit can be tried: leaking patients, copied pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from latentdx.collection.phantom_patient import PhantomPatient
from latentdx.collection.phantom_tables import Row
from latentdx.core.seeds import numpy_generator

_TEST_FRACTION = 0.3
_SPLIT_EVERY = 8
_COPY_EVERY = 12
_OTHER = {"train": "test", "test": "train"}


def with_parts(rows: Sequence[Row], seed: int, *, split_patients: bool) -> list[Row]:
    """The rows in parts, ``train`` and ``test``, by patient.

    With `split_patients` the last scan of every eighth labelled patient with several scans lies in
    the other part.
    """
    found = [replace(row, part=_part(row.patient, seed)) for row in rows]
    if not split_patients:
        return found
    last = [
        row for row in found if row.patient.labelled and 0 < row.scan == row.patient.n_scans - 1
    ]
    moved = {row.path for row in last[::_SPLIT_EVERY]}
    return [replace(row, part=_OTHER[row.part]) if row.path in moved else row for row in found]


def copies(rows: Sequence[Row], n_patients: int) -> list[tuple[Row, Row]]:
    """Every twelfth labelled scan of train, and its copy in test as a patient of its own."""
    originals = [row for row in rows if row.part == "train" and row.patient.labelled]
    found = []
    for index, row in enumerate(originals[::_COPY_EVERY]):
        patient = replace(row.patient, number=n_patients + index)
        path = f"{patient.name}-{row.scan + 1}.dcm"
        copy = replace(row, path=path, patient=patient, part="test")
        found.append((row, copy))
    return found


def _part(patient: PhantomPatient, seed: int) -> str:
    rng = numpy_generator(seed, "phantom", patient.number, "part")
    return "test" if rng.random() < _TEST_FRACTION else "train"
