"""The first steps: scans into the collection, the audit, the split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from latentdx.collection.audit import Audit, audit
from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.labels import order_classes, order_grades
from latentdx.collection.plan import IngestSettings
from latentdx.collection.split import Split, split_by_patient
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.collection.tasks import TaskName, resolve_task
from latentdx.core.errors import LatentdxError, LeakageError
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import derive_seed
from latentdx.study.folder import RunFolder, write_csv
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings


@dataclass(frozen=True)
class Prepared:
    """Stored scans, their split, and what was found on the way.

    `classes` are negative first, grades the lowest first; `task` is what the labels are;
    `invalid` says why scores would mean nothing, or is None.
    """

    collection: Collection
    table: CollectionTable
    split: Split
    classes: tuple[str, ...]
    audit: Audit
    n_quarantined: int = 0
    task: TaskName = "classes"

    @property
    def invalid(self) -> str | None:
        """The audit's errors in words."""
        errors = [item.text for item in self.audit.findings if item.severity == "error"]
        return "; ".join(errors) or None


_KEPT = ("E_IO", "E_LEAKAGE")


def prepare(settings: RunSettings, folder: RunFolder, clock: Clock) -> Prepared:
    """Ingest, audit and split. Raises the errors of each.

    A refusal leaves the folder as it was, but for two: after a full disk (``E_IO``) the same call
    goes on with what is stored, and after ``E_LEAKAGE`` ``audit.json`` shows the leaks and
    ``--overlap drop`` goes on. An interruption leaves what is stored for the next call.
    """
    before = folder.names() if folder.root.exists() else None
    try:
        return _prepare(settings, folder, clock)
    except LatentdxError as error:
        if error.code not in _KEPT:
            folder.restore(before)
        raise


def _prepare(settings: RunSettings, folder: RunFolder, clock: Clock) -> Prepared:
    clock.step("ingest", "Reading scans")
    folder.sweep()
    report = _ingest(settings, folder, clock)
    for note in report.notes:
        clock.note(note)
    if report.quarantine:
        clock.note(f"{len(report.quarantine)} files set aside: see quarantine.csv")
    folder.checkpoints.parent.mkdir(exist_ok=True)
    _write_quarantine(folder.root / "quarantine.csv", report)
    clock.step("audit", "Looking for leaks and duplicates")
    try:
        prepared = open_prepared(folder.collection, settings)
    except LeakageError:
        table = Collection.open(folder.collection).metadata()
        write_json(folder.root / "audit.json", audit(table).as_json())
        raise
    write_atomic(folder.config, settings.to_toml())
    write_json(folder.root / "audit.json", prepared.audit.as_json())
    return replace(prepared, n_quarantined=len(report.quarantine))


def open_prepared(path: Path, settings: RunSettings) -> Prepared:
    """A stored collection, split and audited. Raises as `resolve_task`, `split_by_patient`."""
    collection = Collection.open(path)
    table = collection.metadata()
    task = resolve_task(table.label[table.is_labelled].tolist(), settings.task)
    split = split_by_patient(
        table,
        seed=derive_seed(settings.seed, "split"),
        overlap=settings.overlap,
        labelled=settings.labelled,
    )
    classes = tuple(
        order_grades(table.classes, settings.order)
        if task == "ordinal"
        else order_classes(table.classes, settings.positive)
    )
    return Prepared(collection, table, split, classes, audit(table, split.parts), task=task)


def ingest_settings(settings: RunSettings) -> IngestSettings:
    """What a run's settings say of its sources."""
    return IngestSettings(
        labels=None if settings.labels is None else Path(settings.labels),
        label_map=settings.label_map,
        task=settings.task,
        patient_pattern=settings.patient_pattern,
        one_scan_per_patient=settings.one_scan_per_patient,
        unlabelled=tuple(Path(source) for source in settings.unlabelled),
        size=settings.size,
        channels=settings.channels,
        policy=settings.policy(),
        strict=settings.strict,
    )


def _ingest(settings: RunSettings, folder: RunFolder, clock: Clock) -> IngestReport:
    return ingest(
        [Path(settings.source)],
        folder.collection,
        ingest_settings(settings),
        lambda done, total: clock.progress(done, total, "scans"),
    )


def _write_quarantine(path: Path, report: IngestReport) -> None:
    rows = [(item.path, item.code, item.text) for item in (*report.quarantine, *report.not_images)]
    # Sorted: a continued ingest meets them in another order.
    write_csv(path, ("path", "code", "text"), sorted(rows))
