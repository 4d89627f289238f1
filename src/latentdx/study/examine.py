"""`examine`: every file of a source looked at as an ingest would; only the findings are kept."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from latentdx.collection.finding_labels import check_findings
from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.labels import check_labels
from latentdx.collection.plan import IngestSettings
from latentdx.collection.quality import QualityFinding, review
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.collection.tasks import resolve_task
from latentdx.collection.values import check_values
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.report.doctor_content import DoctorContent, Example, evenly_drawn

PAGE, FACTS = "doctor.html", "doctor.json"


def examine(
    source: Path, settings: IngestSettings, progress: Callable[[int, int], None]
) -> DoctorContent:
    """What an ingest of `source` would read, convert, mark and set aside.

    Raises the errors of `ingest`.

    Examples
    --------
    >>> found = examine(Path("scans"), IngestSettings(), print)  # doctest: +SKIP
    >>> found.found["n_scans"]  # doctest: +SKIP
    998
    """
    with tempfile.TemporaryDirectory(prefix="latentdx-doctor-") as folder:
        try:
            report = ingest([source], Path(folder) / "collection", settings, progress)
        except StopError as error:
            if error.code != "E_NOTHING_USABLE":
                raise
            # Its advice is to call this very command.
            raise StopError(error.code, error.found, path=source) from None
        collection = Collection.open(report.path)
        report = replace(report, notes=(*report.notes, *_refusal(collection, settings)))
        return _content(source.name, report, collection, review(collection))


def write_examination(found: DoctorContent, folder: Path) -> None:
    """``doctor.html`` and ``doctor.json``. Raises `StopError` ``E_IO``."""
    from latentdx.report.doctor_page import doctor_page

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / PAGE, doctor_page(found))
        write_json(folder / FACTS, found.as_json())
    except OSError as error:
        raise StopError("E_IO", f"cannot be written: {error.strerror}", path=folder) from None


def _refusal(collection: Collection, settings: IngestSettings) -> list[str]:
    """Why no study could be made of these labels; nothing where there are none, or it could."""
    table = collection.metadata()
    labels = [label or None for label in table.label.tolist()]
    patients = table.patient.tolist()
    try:
        task = resolve_task(labels, settings.task)
        if task == "regression":
            check_values(labels, patients=patients)
        elif task == "multi-label":
            check_findings(labels, for_training=True)
        elif any(labels):
            meant = {name: name for name in table.classes}
            check_labels(labels, label_map=meant, patients=patients)
    except StopError as error:
        return [f"run would refuse this: {error}"]
    return []


def _content(
    name: str, report: IngestReport, collection: Collection, findings: list[QualityFinding]
) -> DoctorContent:
    table = collection.metadata()
    shown = evenly_drawn([str(label) for label in table.label])
    marked = sorted({row for finding in findings for row in finding.rows})
    pixels = dict(
        zip([*shown, *marked], collection.pixels([*shown, *marked]), strict=True)
        if shown or marked
        else ()
    )
    return DoctorContent(
        name,
        _facts(report, table),
        findings=[finding.as_json() for finding in findings],
        pictures={str(table.path[row]): pixels[row] for row in marked},
        examples=[
            Example(str(table.path[row]), pixels[row], str(table.label[row])) for row in shown
        ],
    )


def _facts(report: IngestReport, table: CollectionTable) -> dict[str, Any]:
    return {
        "n_scans": report.n_scans,
        "n_patients": report.n_patients,
        "n_converted": sum(bool(done) for done in table.conversions),
        "n_skipped": report.n_skipped,
        "size": report.size,
        "channels": report.channels,
        "dims": report.dims,
        "labels": {name: int(table.has(name).sum()) for name in table.classes},
        "modalities": dict(Counter(table.modality.tolist())),
        "sizes": dict(Counter("x".join(map(str, shape)) for shape in table.native_shape.tolist())),
        "conversions": dict(Counter(text for done in table.conversions for text in done)),
        "warnings": report.warnings,
        "quarantine": [
            {"path": item.path, "code": item.code, "text": item.text} for item in report.quarantine
        ],
        "not_images": [item.path for item in report.not_images],
        "notes": list(report.notes),
    }
