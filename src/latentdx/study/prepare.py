"""The first steps: scans into the collection, the audit, the split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.audit import Audit, audit
from latentdx.collection.cases import DecideBy, case_names, require_one_label
from latentdx.collection.finding_scans import FindingScans, load_findings
from latentdx.collection.findings import Findings
from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.labelled import LabelledScans, load_parts, ordered_rows
from latentdx.collection.labelled_values import ValuedScans, load_values
from latentdx.collection.labels import order_classes, order_grades
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.plan import IngestSettings
from latentdx.collection.split import Part, Split, split_by_patient
from latentdx.collection.split_values import split_by_value
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.collection.tasks import TaskChoice, TaskName, resolve_task
from latentdx.collection.terms import check_terms
from latentdx.collection.units import Pairs
from latentdx.core.errors import LatentdxError, LeakageError, StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import derive_seed
from latentdx.features.covariates import Covariates
from latentdx.features.probe_region import region_known
from latentdx.features.shortcut_findings import with_shortcuts
from latentdx.features.shortcuts import Shortcuts, find_shortcuts
from latentdx.study.covariates import fit_covariates, require_no_finding, require_no_value, told_of
from latentdx.study.focus import wants_masks
from latentdx.study.folder import RunFolder, write_csv
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings


@dataclass(frozen=True)
class Prepared:
    """Stored scans, their split, and what was found on the way.

    `classes` are negative first, grades the lowest first, of several findings a scan (`findings`)
    their names, none of numbers; `task` is what the labels are; `covariates` is what the
    classifier reads beside the picture, or None; `decide_by` is what is decided; `shortcuts` are
    looked for by `prepare` alone; `invalid` says why scores would mean nothing, or is None.
    """

    collection: Collection
    table: CollectionTable
    split: Split
    classes: tuple[str, ...]
    audit: Audit
    n_quarantined: int = 0
    task: TaskName = "classes"
    covariates: Covariates | None = None
    findings: Findings | None = None
    decide_by: DecideBy = "scan"
    shortcuts: Shortcuts = field(default_factory=Shortcuts)

    def load(self, *names: Part) -> LabelledScans:
        """The labelled scans of some parts (see `load_parts`), with covariates and cases."""
        scans = load_parts(self.collection, self.split, self.classes, *names)
        return self.completed(scans, *names)

    def load_values(self, *names: Part) -> ValuedScans:
        """The same where labels are numbers."""
        found = load_values(self.collection, self.split, *names)
        return replace(found, scans=self.completed(found.scans, *names))

    def load_findings(self, *names: Part) -> FindingScans:
        """The same where a scan has several findings."""
        assert self.findings is not None, "the task is not multi-label"
        found = load_findings(self.collection, self.split, self.findings, *names)
        return replace(found, scans=self.completed(found.scans, *names))

    def completed(self, scans: LabelledScans, *names: Part) -> LabelledScans:
        """All scans of some parts, in their order, with covariates and cases."""
        cases = None
        if self.decide_by != "scan":
            cases = case_names(self.table, self.decide_by)[
                ordered_rows(self.table, self.split, *names)
            ]
        return replace(scans, beside=self.beside(scans.scan_ids.tolist()), cases=cases)

    def beside(self, scan_ids: Sequence[str]) -> NDArray[np.float32] | None:
        """What the classifier reads of scans (N,) beside the picture, (N, K), or None."""
        if self.covariates is None:
            return None
        return self.covariates.encode(told_of(self.table, scan_ids, self.covariates.names))

    @property
    def invalid(self) -> str | None:
        """The audit's errors in words."""
        errors = [item.text for item in self.audit.findings if item.severity == "error"]
        return "; ".join(errors) or None


_KEPT = ("E_IO", "E_LEAKAGE")


def prepare(
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    check: Callable[[Prepared, RunSettings], None],
) -> Prepared:
    """Ingest, audit and split. Raises the errors of each, and those of `check`.

    A refusal leaves the folder as it was, but for two: after a full disk (``E_IO``) the same call
    goes on with what is stored, and after ``E_LEAKAGE`` ``audit.json`` shows the leaks and
    ``--overlap drop`` goes on. An interruption leaves what is stored for the next call.
    """
    before = folder.names() if folder.root.exists() else None
    try:
        return _prepare(settings, folder, clock, check)
    except LatentdxError as error:
        if error.code not in _KEPT:
            folder.restore(before)
        raise


def _prepare(
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    check: Callable[[Prepared, RunSettings], None],
) -> Prepared:
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
        prepared = open_prepared(folder.collection, settings, clock)
    except LeakageError:
        collection = Collection.open(folder.collection)
        table = collection.metadata()
        near = kept_near_duplicates(collection, table)
        write_json(folder.root / "audit.json", audit(table, near=near).as_json())
        raise
    check(prepared, settings)
    prepared = _with_shortcuts(prepared, settings)
    write_atomic(folder.config, settings.to_toml())
    write_json(folder.root / "audit.json", prepared.audit.as_json())
    return replace(prepared, n_quarantined=len(report.quarantine))


def _with_shortcuts(prepared: Prepared, settings: RunSettings) -> Prepared:
    """The audit with what is found in the learned part: no scan of test is looked at."""
    asked = settings.focus or (None if settings.region == "field" else settings.region)
    region = asked or region_known(prepared.collection)
    learned = prepared.split.rows("train", "tune", "calibrate")
    found = find_shortcuts(
        prepared.collection, prepared.table, learned, seed=settings.seed, region=region
    )
    return replace(prepared, audit=with_shortcuts(prepared.audit, found), shortcuts=found)


def open_prepared(path: Path, settings: RunSettings, clock: Clock | None = None) -> Prepared:
    """A stored collection, split and audited; `clock` is told how far it is.

    What the labels are is what the settings say, else what was said when they were ingested.
    Raises the errors of `resolve_task`, `split_by_patient`, `require_one_label`, `fit_covariates`
    and, of several findings a scan, `Findings.of`.
    """
    collection = Collection.open(path)
    table = collection.metadata()
    told: TaskChoice = collection.info.get("task", "auto")
    choice = told if settings.task == "auto" else settings.task
    task = resolve_task(table.label[table.is_labelled].tolist(), choice)
    near = kept_near_duplicates(collection, table, None if clock is None else clock.progress)
    split = _split(table, task, settings, near.joining(len(table)))
    if task != "regression":  # numbers of a study's scans may differ
        require_one_label(table, settings.decide_by)
    check_terms(settings.terms, table.classes, several=task == "multi-label")
    findings = _findings(table, split, settings) if task == "multi-label" else None
    classes = findings.names if findings else _classes(table, task, settings)
    covariates = fit_covariates(table, split, settings.covariates)
    if covariates and findings:
        require_no_finding(table, split, covariates, findings)
    if covariates and task == "regression":
        require_no_value(table, split, covariates)
    found = audit(table, split.parts, near)
    if task == "regression":
        found = found.of_values()
    return Prepared(
        *(collection, table, split, classes, found),
        task=task,
        covariates=covariates,
        findings=findings,
        decide_by=settings.decide_by,
    )


def _split(table: CollectionTable, task: TaskName, settings: RunSettings, near: Pairs) -> Split:
    split = (
        split_by_value
        if task == "regression"
        else partial(split_by_patient, several=task == "multi-label")
    )
    return split(
        table,
        seed=derive_seed(settings.seed, "split"),
        overlap=settings.overlap,
        labelled=settings.labelled,
        near=near,
    )


def _findings(table: CollectionTable, split: Split, settings: RunSettings) -> Findings:
    if settings.positive is not None:
        text = f"--positive {settings.positive!r} with several findings a scan"
        raise StopError("E_OPTION", text, fix="leave it out: each finding is a question of its own")
    return Findings.of(table, split, settings.terms)


def _classes(table: CollectionTable, task: TaskName, settings: RunSettings) -> tuple[str, ...]:
    if task == "regression":
        return ()
    if task == "ordinal":
        return tuple(order_grades(table.classes, settings.order))
    return tuple(order_classes(table.classes, settings.positive))


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
        masks=wants_masks(settings),
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
