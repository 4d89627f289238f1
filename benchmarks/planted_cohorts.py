"""Small cohorts of phantoms in memory, without a fault, and how they are stored and audited."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.audit import Finding, audit
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
Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Look(NamedTuple):
    """What is looked for beside leaks: near-duplicates, shortcuts."""

    copies: bool = True
    shortcuts: bool = True


def clean(seed: int, n_patients: int = PATIENTS) -> Rows:
    """One scan each of so many patients, four in ten ill, three in ten given as test."""
    return [row_of(patient, seed) for patient in patients(seed, n_patients)]


def patients(seed: int, n_patients: int = PATIENTS) -> list[PhantomPatient]:
    """Who they are; disease, site, sex, view and marker by chance, the ill somewhat older."""
    settings = PhantomSettings(
        n_patients, labelled_fraction=1.0, diseased_fraction=DISEASED, seed=seed
    )
    return [settings.describe(number) for number in range(n_patients)]


def row_of(
    patient: PhantomPatient, seed: int, *, scan: int = 0, change: Change | None = None
) -> ScanRow:
    """One of the patient's scans, as an ingest would store it; `change` its picture before that."""
    drawn = expose(patient, scan, seed=seed, size=SIZE).pixels
    drawn = drawn if change is None else np.ascontiguousarray(change(drawn), np.float32)
    site = SITES[patient.site]
    part = numpy_generator(seed, "part", patient.number).random() < TESTED
    row = ScanRow(
        "",
        f"{patient.name}-{scan + 1}.dcm",
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


def codes_of(rows: Sequence[ScanRow], seed: int, look: Look) -> list[Finding]:
    """What ``latentdx audit`` finds in a collection of these rows, as far as it is asked to look.

    What it says of thin classes is left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        stored = Collection.create(Path(folder) / "c", SIZE, 1)
        stored.append(rows)
        table = stored.metadata()
        near = near_duplicates(stored, table) if look.copies else None
        found = audit(table, near=near)
        if look.shortcuts:
            labelled = np.flatnonzero(table.is_labelled)
            found = with_shortcuts(found, find_shortcuts(stored, table, labelled, seed=seed))
    return [each for each in found.findings if each.code not in ("imbalance", "small-class")]
