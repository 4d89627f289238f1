"""The tables beside a phantom cohort: what a model may see of each scan, and what it may not."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from latentdx.collection.phantom_patient import PhantomPatient
from latentdx.collection.phantom_scanner import SITES

_TRUTH = ("path", "patient", "site", "label", "lesion", "lesion_area_mm2", "marker")


@dataclass(frozen=True)
class Row:
    """One scan of a cohort: its path below ``scans``, and all that the tables say of it."""

    path: str
    patient: PhantomPatient
    scan: int
    lesion_mm2: float = 0.0
    part: str = ""


def labels_table(rows: Sequence[Row]) -> str:
    """CSV of the labelled scans: ``path``, ``label``, and ``part`` where there are parts."""
    columns = ("path", "label", "part") if any(row.part for row in rows) else ("path", "label")
    return _csv(columns, [row for row in rows if row.patient.labelled])


def lesions_table(rows: Sequence[Row]) -> str:
    """CSV of all scans with everything that is true of them."""
    return _csv(_TRUTH, rows)


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(row) for row in rows)
    return buffer.getvalue()


def _cells(row: Row) -> dict[str, str]:
    patient = row.patient
    return {
        "path": row.path,
        "label": patient.label,
        "part": row.part,
        "patient": f"PHANTOM-{patient.name}",
        "site": SITES[patient.site].name,
        "lesion": patient.lesion or "",
        "lesion_area_mm2": f"{row.lesion_mm2:.0f}" if patient.lesion else "",
        "marker": str(int(patient.markers[row.scan])),
    }
