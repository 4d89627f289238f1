"""External validation: a finished model on scans of somewhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from latentdx.bundle.load import load_bundle
from latentdx.bundle.schema import (
    DESCRIPTION,
    Description,
    FindingsDescription,
    ValueDescription,
    read_description,
)
from latentdx.collection.cases import require_one_label
from latentdx.collection.split import split_by_patient
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.report.abstention import abstention_of
from latentdx.report.cautions import size_warnings
from latentdx.report.decided import how_findings_decide, how_it_decides
from latentdx.report.evaluate import TestResult, evaluate_test, reconstruction
from latentdx.report.findings_evaluate import evaluate_findings
from latentdx.report.findings_page import render_findings
from latentdx.report.label_shift import shift_sentences
from latentdx.report.language import in_language
from latentdx.report.model_metrics import model_metrics
from latentdx.report.page import render
from latentdx.study.adaptation import adapt_to, refuse_adaptation, tell_adaptation
from latentdx.study.assess import Assessment, audit_warnings
from latentdx.study.covariates import tell_known
from latentdx.study.decide import require_prevalence_of_two
from latentdx.study.drift import tell_drift
from latentdx.study.external_part import Tested, check_collection, check_shape, tested_part
from latentdx.study.external_unlabelled import evaluate_unlabelled
from latentdx.study.external_wanted import Wanted
from latentdx.study.failures import tell_failures
from latentdx.study.findings_assess import FindingsAssessment, finding_warnings, tested_metrics
from latentdx.study.findings_publish import FindingsMade, findings_content, write_findings
from latentdx.study.label_shift import (
    SHIFTED_PREDICTIONS,
    refuse_label_shift,
    shift_in,
    tell_gain,
)
from latentdx.study.predictions_file import write_predictions
from latentdx.study.prepare import Prepared
from latentdx.study.publish import Made, content_of
from latentdx.study.regression_external import evaluate_value_bundle
from latentdx.study.reporter import Reporter
from latentdx.study.rules import tell_rules
from latentdx.study.settings import RunSettings

ADAPTED_PREDICTIONS = "adapted-predictions.csv"
_BESIDE = (ADAPTED_PREDICTIONS, SHIFTED_PREDICTIONS)
_WRITTEN = {"predictions.csv", *_BESIDE, "report.html", "metrics.json"}


def evaluate_bundle(
    bundle: Path,
    path: Path,
    out: Path,
    reporter: Reporter,
    *,
    autoencoder: nn.Module | None = None,
    wanted: Wanted | None = None,
) -> tuple[dict[str, Any], str]:
    """Score a bundle on the labelled scans of a collection; writes the report to `out`.

    A collection without labels is taken, too: see `evaluate_unlabelled`.

    Returns the metrics and a sentence on what was tested. Raises `StopError`:
    ``E_CLASSES`` (the collection has labels that the bundle does not know), ``E_SIZE``,
    ``E_NO_LABELS``, ``E_STUDY_LABELS``, ``E_OPTION`` (a prevalence of other than two classes),
    ``E_DESTINATION`` (other things than an earlier evaluation lie at `out`); and see `unseen_part`
    for scans whose labels the bundle was made by.
    """
    reporter.step("evaluate", "Evaluating the bundle")
    wanted = wanted or Wanted()
    _check_destination(out)
    model = load_bundle(bundle, autoencoder=autoencoder)
    told = read_description((bundle / DESCRIPTION).read_text(), bundle)
    collection = Collection.open(path)
    table = collection.metadata()
    if not table.is_labelled.any():
        check_shape(model.encoder, collection)
        refuse_adaptation(wanted.adapt, "scans without labels: nothing would tell if it helps")
        return evaluate_unlabelled(model, collection, out, told.seed, wanted)
    if isinstance(model, RegressionModel) or isinstance(told, ValueDescription):
        assert isinstance(model, RegressionModel)
        assert isinstance(told, ValueDescription)
        require_prevalence_of_two(wanted.prevalence, 0)
        refuse_adaptation(wanted.adapt, "numbers")
        refuse_label_shift(wanted.label_shift, "numbers")
        return evaluate_value_bundle(model, told, collection, out, wanted)
    _check(model, collection, table)
    require_one_label(table, model.decide_by)
    several = isinstance(told, FindingsDescription)
    splitter = partial(split_by_patient, several=several)
    tested = tested_part(told, model.seen, (collection, table), splitter, wanted.overlap)
    prepared = Prepared(
        collection,
        table,
        tested.split,
        model.classes,
        tested.audited(collection, table),
        covariates=model.covariates,
        findings=model.findings if isinstance(model, FindingsModel) else None,
        decide_by=model.decide_by,
    )
    require_prevalence_of_two(wanted.prevalence, 0 if several else len(model.classes))
    settings = _settings(told, path).model_copy(
        update={
            "prevalence": wanted.prevalence,
            "language": wanted.language,
            "adapt": wanted.adapt,
        }
    )
    opened = Opened(prepared, settings, tested, wanted.label_shift)
    if isinstance(model, FindingsModel):
        refuse_adaptation(wanted.adapt, "several findings a scan")
        refuse_label_shift(wanted.label_shift, "several findings a scan")
        return _evaluate_findings(model, opened, out), tested.sentence
    return _evaluate_classes(model, opened, out), tested.sentence


@dataclass(frozen=True)
class Opened:
    """The scans that a bundle is tested on, and how the bundle was made."""

    prepared: Prepared
    settings: RunSettings
    tested: Tested
    label_shift: bool = False

    def metrics(self, own: dict[str, Any]) -> dict[str, Any]:
        """The content of ``metrics.json``: the model's `own` numbers, and nothing beside them."""
        around: dict[str, Any] = {"baselines": {}, "controls": {}, "seconds": {}}
        return {**own, **self.tested.told, **around, "warnings": audit_warnings(self.prepared)}


def _evaluate_classes(model: DiagnosticModel, opened: Opened, out: Path) -> dict[str, Any]:
    prepared, seed = opened.prepared, opened.settings.seed
    test = prepared.load("test")
    groups = groups_in(prepared.table, test.decided().scan_ids.tolist(), model.sets.column)
    result = evaluate_test(model, test, groups)
    metrics = opened.metrics(
        {
            **model_metrics(result.predictions, seed, opened.settings.prevalence),
            "abstention": abstention_of(model, result, groups, seed),
            "reconstruction": reconstruction(result, seed),
        }
    )
    metrics["warnings"] += size_warnings(result.predictions, model.classes, metrics["test"])
    strata = tell_failures(metrics, model, result, prepared.table, seed)
    tell_drift(metrics, model, test, prepared, seed)
    if model.decide_by != "scan":
        metrics["decide_by"] = model.decide_by
    if model.covariates is not None:
        tell_known(model.covariates, prepared.table, test, metrics)
    decided = how_it_decides(model)
    decided += tell_rules(metrics, model.rules, prepared, test, result.predictions, seed)
    adapted = adapt_to(model, prepared, opened.settings.adapt, by_site=True)
    if adapted is not None:
        decided += tell_adaptation(metrics, model, adapted, (result, test), seed)
    shifted = None
    if opened.label_shift:
        told = shift_in(model, result.outputs, result.scans.patients, metrics["drift"], seed)
        shifted = tell_gain(told, result, seed)
        metrics["label_shift"] = told.told
        decided += tuple(shift_sentences(told.told))
    assessment = Assessment(
        result, {}, metrics, opened.tested.sentence, model.head.threshold, decided, strata
    )
    out.mkdir(parents=True, exist_ok=True)
    _write_beside(out, prepared, None if adapted is None else adapted.result, shifted)
    made = Made(opened.settings, prepared, assessment)
    write_predictions(out / "predictions.csv", prepared, result)
    page = render(content_of(made, {"bundle": model.bundle}, ()))
    write_atomic(out / "report.html", in_language(page, opened.settings.language))
    write_json(out / "metrics.json", metrics)
    return metrics


def _write_beside(out: Path, prepared: Prepared, *results: TestResult | None) -> None:
    """What an adapted model and corrected probabilities say; what an earlier one said goes."""
    for name, result in zip(_BESIDE, results, strict=True):
        (out / name).unlink(missing_ok=True)
        if result is not None:
            write_predictions(out / name, prepared, result)


def _evaluate_findings(model: FindingsModel, opened: Opened, out: Path) -> dict[str, Any]:
    prepared, seed = opened.prepared, opened.settings.seed
    test = prepared.load_findings("test")
    groups = groups_in(prepared.table, test.decided().scans.scan_ids.tolist(), model.column)
    result = evaluate_findings(model, test, groups)
    metrics = opened.metrics(tested_metrics(model, result, groups, seed))
    metrics["warnings"] += finding_warnings(result, metrics)
    strata = tell_failures(metrics, model, result, prepared.table, seed)
    tell_drift(metrics, model, test, prepared, seed)
    if model.covariates is not None:
        tell_known(model.covariates, prepared.table, result.scans, metrics)
    decided = how_findings_decide(model)
    decided += tell_rules(metrics, model.rules, prepared, test.scans, result.predictions, seed)
    assessment = FindingsAssessment(
        model, result, {}, metrics, opened.tested.sentence, decided, strata
    )
    out.mkdir(parents=True, exist_ok=True)
    made = FindingsMade(opened.settings, prepared, assessment)
    write_findings(out / "predictions.csv", made)
    page = render_findings(findings_content(made, {"bundle": model.bundle}, ()))
    write_atomic(out / "report.html", in_language(page, opened.settings.language))
    write_json(out / "metrics.json", metrics)
    return metrics


def _check_destination(out: Path) -> None:
    if out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - _WRITTEN):
        fix = "choose another --out"
        raise StopError("E_DESTINATION", "other things lie there", fix=fix, path=out)


def _settings(told: Description | FindingsDescription, collection: Path) -> RunSettings:
    """What the report shows of how the bundle was made; of several heads that of the first."""
    head = told.findings[0].head if isinstance(told, FindingsDescription) else told.head
    tuned: dict[str, Any] = {"fine_tune": "none"}
    if (facts := head.fine_tune) is not None:
        tuned = {
            "fine_tune": facts.which,
            **facts.model_dump(exclude={"which", "epochs", "chosen"}),
        }
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
        pool=head.pool,
        covariates=tuple(column.name for column in head.covariates),
        rules=tuple(told.rules),
        **tuned,
    )


def _check(
    model: DiagnosticModel | FindingsModel, collection: Collection, table: CollectionTable
) -> None:
    strange = sorted(set(table.classes) - set(model.classes))
    if isinstance(model, FindingsModel):
        # Others than those that it was made for are no question, and no fault.
        strange = [] if set(table.classes) & set(model.classes) else strange
    if strange:
        raise StopError(
            "E_CLASSES",
            f"the bundle does not know the label {strange[0]!r}; its classes are "
            f"{', '.join(model.classes)}",
            fix="ingest again with --label-map",
        )
    check_collection(model.encoder, collection, table)
