"""The evaluation step: the test part, the baselines, the control, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from latentdx.collection.cases import PLURALS
from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.features.table import put_beside
from latentdx.metrics.estimate import Estimate
from latentdx.report.abstention import abstention_of
from latentdx.report.baselines import Rivals, metadata_baseline, run_baselines
from latentdx.report.cautions import size_warnings
from latentdx.report.controls import ControlScans, shuffled_labels
from latentdx.report.decided import how_it_decides
from latentdx.report.equal_label import equal_label_warnings, scores_at_equal_label
from latentdx.report.evaluate import TestResult, evaluate_test, reconstruction
from latentdx.report.model_metrics import model_metrics
from latentdx.report.predictions import Predictions, as_json
from latentdx.report.scratch_rival import SCRATCH
from latentdx.report.split_control import split_controls
from latentdx.report.strata import Strata
from latentdx.report.verdict import UNTUNED, WITHOUT, verdict
from latentdx.study.covariates import covariates_told, missing_warnings
from latentdx.study.decide import aim_for, notes_of
from latentdx.study.drift import tell_shift
from latentdx.study.failures import Result, tell_failures
from latentdx.study.gains import COVARIATES, FINE_TUNING, gain_sentence
from latentdx.study.learn import head_settings
from latentdx.study.places import unseen_notes
from latentdx.study.prepare import Prepared
from latentdx.study.repeated import Repeated, tell_repeated
from latentdx.study.reporter import Clock
from latentdx.study.rules import tell_rules
from latentdx.study.scratch import scratch_step
from latentdx.study.settings import RunSettings
from latentdx.study.shortcuts import shortcuts_told
from latentdx.study.unlabelled import MOST_FOR_SCALE, unlabelled_table

_CONTROL_FAR = 0.1


@dataclass(frozen=True)
class Assessment:
    """Everything measured on the test part; `metrics` is the content of ``metrics.json``."""

    result: TestResult
    rivals: Mapping[str, Predictions]
    metrics: dict[str, Any]
    verdict: str
    threshold: float | None
    decided: tuple[str, ...] = ()
    strata: Strata | None = None
    repeated: Repeated = Repeated()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Scored:
    """The model and the baselines on the test part.

    `scans` are of train, calibrate and test; `groups` (N,) the test scans' values of the column of
    the model's sets, or None; `told` names columns that metadata did without.
    """

    scans: LabelledScans
    groups: Sequence[str] | None
    result: TestResult
    rivals: dict[str, Predictions]
    told: list[str]


def score_step(
    prepared: Prepared, model: DiagnosticModel, settings: RunSettings, clock: Clock
) -> Scored:
    """Score the model and the baselines on the same test scans."""
    scans = prepared.load("train", "calibrate", "test")
    clock.step("evaluate", "Evaluating on the test part")
    test = scans.part("test")
    groups = groups_in(prepared.table, test.decided().scan_ids.tolist(), model.sets.column)
    result = evaluate_test(model, test, groups)
    return Scored(scans, groups, result, *_rivals(prepared, model, scans, settings, clock))


def assess_step(
    prepared: Prepared,
    model: DiagnosticModel,
    settings: RunSettings,
    clock: Clock,
    repeated: Repeated = Repeated(),  # noqa: B008 - frozen
) -> Assessment:
    """Score the model and everything it is compared with on the same test scans.

    `repeated` are models made in the same way beside it.
    """
    scored = score_step(prepared, model, settings, clock)
    scans, groups, result, rivals = scored.scans, scored.groups, scored.result, scored.rivals
    clock.step("control", "Running the control: shuffled labels")
    embeddings = model.extract(scans.pixels)
    features = model.head.reduced(put_beside(embeddings, scans.beside))
    shuffled = ControlScans(scans.decided(), scans.pooled(features))
    control = shuffled_labels(model.head, shuffled, settings.seed)
    clock.step("report", "Computing intervals and writing the report")
    metrics = _metrics(prepared, result, rivals, control, settings)
    if splits := split_controls(model.head, shuffled, settings.seed):
        metrics["splits"] = {name: as_json(values) for name, values in splits.items()}
    if prepared.decide_by != "scan":
        metrics["decide_by"] = prepared.decide_by
    metrics["abstention"] = abstention_of(model, result, groups, settings.seed)
    at_label = scores_at_equal_label(
        result.predictions, result.scans.scan_ids.tolist(), prepared.table, seed=settings.seed
    )
    metrics["shortcuts"] = shortcuts_told(prepared, scans, embeddings, settings.seed, at_label)
    notes = warnings_of(notes_of(model.sets, model.risk), metrics, settings)
    sizes = size_warnings(result.predictions, prepared.classes, metrics["test"])
    metrics["warnings"] = [
        *(*audit_warnings(prepared), *notes, *told_columns(scored.told), *sizes),
        *equal_label_warnings(at_label),
    ]
    strata = tell_failures(metrics, model, result, prepared.table, settings.seed)
    decided = how_it_decides(model)
    if prepared.covariates is not None:
        decided = (*decided, tell_covariates(prepared, result, rivals, metrics, settings.seed))
    decided += tell_rules(
        metrics, model.rules, prepared, scans.part("test"), result.predictions, settings.seed
    )
    if UNTUNED in rivals:
        gain = result.predictions.lead_over(rivals[UNTUNED], settings.seed)
        name, words = result.predictions.judged_by
        metrics["fine_tuning"] = {"gain": gain.as_json(), "gain_of": name}
        decided = (*decided, gain_sentence(FINE_TUNING, gain, words))
    decided += tell_repeated(metrics, repeated, result, rivals, model, settings)
    tell_shift(metrics, model, scans.part("test"), prepared, settings.seed)
    metrics["warnings"] += unseen_notes(prepared, settings)
    sentence = verdict(result.predictions, rivals, settings.seed, PLURALS[prepared.decide_by])
    threshold = model.head.threshold
    return Assessment(result, rivals, metrics, sentence, threshold, decided, strata, repeated)


def tell_covariates(
    prepared: Prepared,
    result: Result,
    rivals: Mapping[str, Any],
    metrics: dict[str, Any],
    seed: int,
) -> str:
    """What the covariates add, into the metrics and in words."""
    assert prepared.covariates is not None
    scan_ids = result.scans.scan_ids.tolist()
    told = covariates_told(prepared.covariates, prepared.table, scan_ids)
    gain = result.predictions.lead_over(rivals[WITHOUT], seed)
    name, words = result.predictions.judged_by
    metrics["covariates"] = told | {"gain": gain.as_json(), "gain_of": name}
    metrics["warnings"] += missing_warnings(told)
    return gain_sentence(COVARIATES, gain, words, is_error=name == "mae")


def _rivals(
    prepared: Prepared,
    model: DiagnosticModel,
    scans: LabelledScans,
    settings: RunSettings,
    clock: Clock,
) -> tuple[dict[str, Predictions], list[str]]:
    clock.step("baselines", "Running the baselines")
    aim = None if settings.target == "balanced" else aim_for(prepared, settings)
    metadata, told = metadata_baseline(
        prepared.table, scans, settings.seed, ordered=prepared.task == "ordinal"
    )
    seed = derive_seed(settings.seed, "head")
    unlabelled = partial(unlabelled_table, prepared, seed=seed, most=MOST_FOR_SCALE)
    rivals = Rivals(
        scans, model.encoder, head_settings(settings, prepared.task), settings.seed, aim, unlabelled
    )
    extra = {"metadata": rivals.majority() if metadata is None else metadata}
    done = {"pixels-pca-svm": 0, "hog-svm": 1, "untrained-encoder": 2}

    def step(name: str) -> None:
        clock.progress(done[name], 3, name)

    found = run_baselines(rivals, extra, step, model.kind)
    if prepared.covariates is not None:
        found[WITHOUT] = _without_covariates(prepared, model, scans, settings)
    if model.tuned is not None:
        found[UNTUNED] = rivals.with_features(replace(model, tuned=None).extract)
    if settings.cnn_from_scratch:
        found[SCRATCH] = scratch_step(rivals, clock)
    return found, told


def _without_covariates(
    prepared: Prepared, model: DiagnosticModel, scans: LabelledScans, settings: RunSettings
) -> Predictions:
    """The same features and classifier on the picture alone."""
    plain, pictures = replace(prepared, covariates=None), replace(scans, beside=None)
    aim = None if settings.target == "balanced" else aim_for(plain, settings)
    seed = derive_seed(settings.seed, "head")
    unlabelled = partial(unlabelled_table, plain, seed=seed, most=MOST_FOR_SCALE)
    head = head_settings(settings, prepared.task)
    rivals = Rivals(pictures, model.encoder, head, settings.seed, aim, unlabelled)
    return rivals.with_features(model.extract)


def _metrics(
    prepared: Prepared,
    result: TestResult,
    rivals: Mapping[str, Predictions],
    control: Mapping[str, Estimate],
    settings: RunSettings,
) -> dict[str, Any]:
    seed = settings.seed
    return {
        **model_metrics(result.predictions, seed, settings.prevalence),
        "baselines": {name: as_json(rival.metrics(seed)) for name, rival in rivals.items()},
        "controls": {"shuffled-labels": as_json(control)},
        "reconstruction": reconstruction(result, seed),
    }


def told_columns(names: list[str]) -> list[str]:
    """Which columns were left out of the metadata baseline, in words."""
    return [
        f"the column {name!r} is the label in other words: left out of the metadata baseline"
        for name in names
    ]


def audit_warnings(prepared: Prepared) -> list[str]:
    """What the audit found, what makes scores invalid first."""
    invalid = [f"INVALID: {prepared.invalid}"] if prepared.invalid else []
    return invalid + [item.text for item in prepared.audit.findings if item.severity == "warning"]


def warnings_of(
    notes: Sequence[str], metrics: Mapping[str, Any], settings: RunSettings
) -> list[str]:
    """What a reader must know before believing a number; `notes`: what could not be promised."""
    found = list(notes)
    if settings.one_scan_per_patient:
        found.append("patients were not known: every scan was declared a patient of its own")
    control = metrics["controls"]["shuffled-labels"]["auroc"]
    low, high = control["low"], control["high"]
    far = control["value"] is not None and abs(control["value"] - 0.5) > _CONTROL_FAR
    if far and not low <= 0.5 <= high:
        found.append(
            f"the shuffled-label control scores {control['value']:.3f}, far from .5: "
            "look for a leak"
        )
    return found
