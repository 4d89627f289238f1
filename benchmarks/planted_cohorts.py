"""Small cohorts of phantoms in memory, without a fault, and how they are stored and audited."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.audit import Audit, audit
from latentdx.collection.near_duplicates import near_duplicates
from latentdx.collection.phantom_draw import expose
from latentdx.collection.phantom_patient import PhantomPatient
from latentdx.collection.phantom_scanner import SITES
from latentdx.collection.phantoms import PhantomSettings
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.hashing import hash_array, hash_bytes
from latentdx.core.seeds import numpy_generator
from latentdx.features.shortcut_findings import with_shortcuts
from latentdx.features.shortcuts import find_shortcuts
from latentdx.scans.geometry import fit_square

SIZE, PATIENTS, DISEASED, TESTED = 48, 300, 0.4, 0.3

Rows = list[ScanRow]


def clean(seed: int, n_patients: int = PATIENTS) -> Rows:
    """One scan each of so many patients, four in ten ill, three in ten given as test."""
    return [row_of(patient, seed) for patient in patients(seed, n_patients)]


def patients(seed: int, n_patients: int = PATIENTS) -> list[PhantomPatient]:
    """Who they are; disease, site, sex, view and marker by chance, the ill somewhat older."""
    settings = PhantomSettings(
        n_patients, labelled_fraction=1.0, diseased_fraction=DISEASED, seed=seed
    )
    return [settings.describe(number) for number in range(n_patients)]


def row_of(patient: PhantomPatient, seed: int) -> ScanRow:
    """The patient's first scan, as an ingest would store it."""
    drawn = expose(patient, 0, seed=seed, size=SIZE).pixels
    site = SITES[patient.site]
    part = numpy_generator(seed, "part", patient.number).random() < TESTED
    row = ScanRow(
        "",
        f"{patient.name}-1.dcm",
        fit_square(drawn[None], SIZE),
        "",
        patient=f"p{patient.number}",
        site=site.name,
        modality=site.modality,
        label=patient.label,
        given_part="test" if part else "train",
        covariates={"age": str(patient.age), "sex": patient.sex, "view": patient.view},
        native_shape=drawn.shape,
    )
    return renamed(row)


def renamed(row: ScanRow) -> ScanRow:
    """The row with the id and the hash that its path and its pixels ask for."""
    levels = np.round(row.pixels * 65535).astype(np.uint16)
    content = hash_array(levels)
    name = hash_bytes(row.path.encode(), content.encode())[:16]
    return replace(row, content_hash=content, scan_id=name)


def audited(rows: Sequence[ScanRow], seed: int) -> Audit:
    """All that ``latentdx audit`` looks for in a collection of these rows."""
    with tempfile.TemporaryDirectory() as folder:
        stored = Collection.create(Path(folder) / "c", SIZE, 1)
        stored.append(rows)
        table = stored.metadata()
        found = audit(table, near=near_duplicates(stored, table))
        labelled: NDArray[np.int64] = np.flatnonzero(table.is_labelled)
        return with_shortcuts(found, find_shortcuts(stored, table, labelled, seed=seed))
