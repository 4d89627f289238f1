"""External validation: a finished model on scans of somewhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from latentdx.bundle.load import load_bundle
from latentdx.bundle.save import AnyModel
from latentdx.bundle.schema import (
    DESCRIPTION,
    AnyDescription,
    FindingsDescription,
    read_description,
)
from latentdx.collection.audit import audit
from latentdx.collection.cases import require_one_label
from latentdx.collection.finding_scans import load_findings
from latentdx.collection.split import Overlap, Split, split_by_patient
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import LatentdxError, StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.report.abstention import abstention_of
from latentdx.report.decided import how_it_decides
from latentdx.report.evaluate import evaluate_test, reconstruction, subgroups
from latentdx.report.findings_evaluate import evaluate_findings
from latentdx.report.findings_page import render_findings
from latentdx.report.page import render
from latentdx.report.predictions import as_json
from latentdx.study.assess import Assessment, audit_warnings
from latentdx.study.covariates import covariates_told, missing_warnings
from latentdx.study.findings_assess import FindingsAssessment, tested_metrics
from latentdx.study.findings_publish import FindingsMade, findings_content, write_findings
from latentdx.study.prepare import Prepared
from latentdx.study.publish import Made, content_of, write_predictions
from latentdx.study.reporter import Reporter
from latentdx.study.settings import RunSettings

_WRITTEN = {"predictions.csv", "report.html", "metrics.json"}


def evaluate_bundle(
    bundle: Path,
    path: Path,
    out: Path,
    reporter: Reporter,
    *,
    autoencoder: nn.Module | None = None,
) -> tuple[dict[str, Any], str]:
    """Score a bundle on the labelled scans of a collection; writes the report to `out`.

    Returns the metrics and a sentence on what was tested. Raises `StopError`: ``E_CLASSES`` (the
    collection has labels that the bundle does not know), ``E_SIZE``, ``E_NO_LABELS``,
    ``E_STUDY_LABELS``, ``E_DESTINATION`` (other things than an earlier evaluation lie at `out`).
    """
    reporter.step("evaluate", "Evaluating the bundle")
    _check_destination(out)
    model = load_bundle(bundle, autoencoder=autoencoder)
    told = read_description((bundle / DESCRIPTION).read_text(), bundle)
    collection = Collection.open(path)
    table = collection.metadata()
    _check(model, collection, table)
    require_one_label(table, model.decide_by)
    split, is_own = _test_part(told, table)
    prepared = Prepared(
        collection,
        table,
        split,
        model.classes,
        audit(table, split.parts),
        covariates=model.covariates,
        decide_by=model.decide_by,
    )
    opened = Opened(prepared, _settings(told, path))
    sentence = (
        "These are the test scans of the collection that the bundle was made from."
        if is_own
        else "External validation: every labelled scan of the collection was tested."
    )
    if isinstance(model, FindingsModel):
        return _evaluate_findings(model, opened, out, sentence), sentence
    return _evaluate_classes(model, opened, out, sentence), sentence


@dataclass(frozen=True)
class Opened:
    """The scans that a bundle is tested on, and how the bundle was made."""

    prepared: Prepared
    settings: RunSettings

    def metrics(self, own: dict[str, Any]) -> dict[str, Any]:
        """The content of ``metrics.json``: the model's `own` numbers, and nothing beside them."""
        around: dict[str, Any] = {"baselines": {}, "controls": {}, "seconds": {}}
        return {**own, **around, "warnings": audit_warnings(self.prepared)}


def _evaluate_classes(
    model: DiagnosticModel, opened: Opened, out: Path, sentence: str
) -> dict[str, Any]:
    prepared, seed = opened.prepared, opened.settings.seed
    test = prepared.load("test")
    groups = groups_in(prepared.table, test.decided().scan_ids.tolist(), model.sets.column)
    result = evaluate_test(model, test, groups)
    metrics = opened.metrics(
        {
            "test": as_json(result.predictions.metrics(seed)),
            "subgroups": subgroups(result, prepared.table, seed),
            "abstention": abstention_of(model, result, groups, seed),
            "reconstruction": reconstruction(result, seed),
        }
    )
    if model.decide_by != "scan":
        metrics["decide_by"] = model.decide_by
    if model.covariates is not None:
        read = covariates_told(model.covariates, prepared.table, test.scan_ids.tolist())
        metrics["covariates"] = read
        metrics["warnings"] += missing_warnings(read)
    assessment = Assessment(
        result, {}, metrics, sentence, model.head.threshold, how_it_decides(model)
    )
    out.mkdir(parents=True, exist_ok=True)
    made = Made(opened.settings, prepared, assessment)
    write_predictions(out / "predictions.csv", made)
    write_atomic(out / "report.html", render(content_of(made, {"bundle": model.bundle}, ())))
    write_json(out / "metrics.json", metrics)
    return metrics


def _evaluate_findings(
    model: FindingsModel, opened: Opened, out: Path, sentence: str
) -> dict[str, Any]:
    prepared, seed = opened.prepared, opened.settings.seed
    test = load_findings(prepared.collection, prepared.split, model.findings, "test")
    column = model.models[0].sets.column
    groups = groups_in(prepared.table, test.scans.scan_ids.tolist(), column)
    result = evaluate_findings(model, test, groups)
    metrics = opened.metrics(
        {
            **tested_metrics(model, result, groups, seed),
            "subgroups": subgroups(result, prepared.table, seed),
        }
    )
    assessment = FindingsAssessment(model, result, {}, metrics, sentence)
    out.mkdir(parents=True, exist_ok=True)
    made = FindingsMade(opened.settings, prepared, assessment)
    write_findings(out / "predictions.csv", made)
    page = render_findings(findings_content(made, {"bundle": model.bundle}, ()))
    write_atomic(out / "report.html", page)
    write_json(out / "metrics.json", metrics)
    return metrics


def _check_destination(out: Path) -> None:
    if out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - _WRITTEN):
        fix = "choose another --out"
        raise StopError("E_DESTINATION", "other things lie there", fix=fix, path=out)


def _settings(told: AnyDescription, collection: Path) -> RunSettings:
    """What the report shows of how the bundle was made; of several heads that of the first."""
    head = told.findings[0].head if isinstance(told, FindingsDescription) else told.head
    tuned: dict[str, Any] = {}
    if (facts := head.fine_tune) is not None:
        tuned = {"fine_tune": facts.which, **facts.model_dump(exclude={"which", "epochs"})}
        if tuned.pop("consistency"):
            tuned["semi_supervised"] = "consistency"
    return RunSettings(
        source=str(collection),
        seed=told.seed,
        autoencoder=told.encoder.name,
        classifier=head.classifier,
        features=head.features,
        flip=head.flip,
        calibration=head.calibration,
        coverage=head.coverage,
        risk=None if head.risk is None else head.risk.risk,
        decide_by=head.decide_by,
        covariates=tuple(column.name for column in head.covariates),
        **tuned,
    )


def _check(model: AnyModel, collection: Collection, table: CollectionTable) -> None:
    strange = sorted(set(table.classes) - set(model.classes))
    if isinstance(model, FindingsModel):
        # Others than those that it was made for are no question, and no fault.
        strange = [] if set(table.classes) & set(model.classes) else strange
    if not table.is_labelled.any():
        raise StopError("E_NO_LABELS", "no scan has a label", fix="ingest with --labels CSV")
    if strange:
        raise StopError(
            "E_CLASSES",
            f"the bundle does not know the label {strange[0]!r}; its classes are "
            f"{', '.join(model.classes)}",
            fix="ingest again with --label-map",
        )
    expected = model.encoder.shape
    if expected != collection.shape:
        text = f"the bundle reads scans of shape {expected}, the collection holds "
        text += f"{collection.shape}"
        fix = f"ingest again with --dims {len(expected) - 1} --size {expected[1]}"
        raise StopError("E_SIZE", text, fix=fix, path=collection.path)


def _test_part(told: AnyDescription, table: CollectionTable) -> tuple[Split, bool]:
    """The bundle's own test part where the collection is its own, else all labelled scans."""
    seed, n_train = derive_seed(told.seed, "split"), told.counts.get("train")
    several = isinstance(told, FindingsDescription)
    ways: tuple[tuple[Overlap, int | None], ...]
    ways = (("drop", None), ("drop", n_train), ("allow", None), ("allow", n_train))
    for overlap, labelled in ways:
        try:
            own = split_by_patient(
                table, seed=seed, overlap=overlap, labelled=labelled, several=several
            )
        except LatentdxError:
            continue
        if own.hash == told.split_hash:
            return own, True
    parts: NDArray[np.str_] = np.where(table.is_labelled, "test", "excluded")
    return Split(parts, Split.hash_of(table, parts)), False
