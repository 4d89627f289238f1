"""The evaluation step of several findings a scan: as for one label, finding by finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from latentdx.collection.cases import PLURALS
from latentdx.collection.finding_scans import FindingScans
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.features.table import put_beside
from latentdx.report.baselines import run_baselines
from latentdx.report.cautions import few_patients, wide_intervals
from latentdx.report.decided import how_findings_decide
from latentdx.report.findings_evaluate import (
    FindingsResult,
    evaluate_findings,
    findings_abstention,
    findings_as_json,
    rebuilt_as_json,
)
from latentdx.report.findings_predictions import FindingPredictions
from latentdx.report.findings_rivals import FindingRivals, shuffled_findings
from latentdx.report.predictions import as_json
from latentdx.report.strata import Strata
from latentdx.report.verdict import WITHOUT, verdict
from latentdx.study.assess import audit_warnings, tell_covariates, told_columns, warnings_of
from latentdx.study.drift import tell_shift
from latentdx.study.failures import tell_failures
from latentdx.study.findings_learn import aim_findings, notes_by_finding
from latentdx.study.learn import head_settings
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.rules import tell_rules
from latentdx.study.settings import RunSettings
from latentdx.study.shortcuts import shortcuts_told
from latentdx.study.unlabelled import MOST_FOR_SCALE, unlabelled_table


@dataclass(frozen=True)
class FindingsAssessment:
    """Everything measured on the test part; `metrics` is the content of ``metrics.json``."""

    model: FindingsModel
    result: FindingsResult
    rivals: Mapping[str, FindingPredictions]
    metrics: dict[str, Any]
    verdict: str
    decided: tuple[str, ...]
    strata: Strata


def assess_findings(
    prepared: Prepared, model: FindingsModel, settings: RunSettings, clock: Clock
) -> FindingsAssessment:
    """Score the model and everything it is compared with on the same test scans."""
    scans = prepared.load_findings("train", "calibrate", "test")
    clock.step("evaluate", "Evaluating on the test part")
    test = scans.part("test")
    column = model.models[0].sets.column
    groups = groups_in(prepared.table, test.decided().scans.scan_ids.tolist(), column)
    result = evaluate_findings(model, test, groups)
    rivals, told = _rivals(prepared, model, scans, settings, clock)
    clock.step("control", "Running the control: shuffled labels")
    embeddings = put_beside(model.models[0].extract(scans.scans.pixels), scans.scans.beside)
    heads = [one.head for one in model.models]
    control = shuffled_findings(heads, scans, embeddings, settings.seed)
    clock.step("report", "Computing intervals and writing the report")
    seed = settings.seed
    metrics = {
        **tested_metrics(model, result, groups, seed),
        "baselines": {name: as_json(rival.metrics(seed)) for name, rival in rivals.items()},
        "controls": {"shuffled-labels": as_json(control)},
        "shortcuts": shortcuts_told(prepared, scans.scans, embeddings, seed),
    }
    notes = notes_by_finding(model)
    metrics["warnings"] = [
        *audit_warnings(prepared),
        *model.findings.notes(),
        *warnings_of(notes, metrics, settings),
        *told_columns(told),
        *finding_warnings(result, metrics),
    ]
    strata = tell_failures(metrics, model, result, prepared.table, seed)
    decided = how_findings_decide(model)
    if prepared.covariates is not None:
        decided = (*decided, tell_covariates(prepared, result, rivals, metrics, seed))
    decided += tell_rules(metrics, model.rules, prepared, test.scans, result.predictions, seed)
    tell_shift(metrics, model, test, prepared, seed)
    sentence = verdict(result.predictions, rivals, seed, PLURALS[prepared.decide_by])
    return FindingsAssessment(model, result, rivals, metrics, sentence, decided, strata)


def tested_metrics(
    model: FindingsModel, result: FindingsResult, groups: Sequence[str] | None, seed: int
) -> dict[str, Any]:
    """What ``metrics.json`` says of the model alone: means over findings, and each finding."""
    thresholds = (one.head.threshold for one in model.models)
    return {
        **({} if model.decide_by == "scan" else {"decide_by": model.decide_by}),
        "test": as_json(result.predictions.metrics(seed)),
        "findings": findings_as_json(result, seed),
        "thresholds": dict(zip(model.findings.names, thresholds, strict=True)),
        "abstention": findings_abstention(model, result, groups, seed),
        "reconstruction": rebuilt_as_json(result, seed),
    }


def finding_warnings(result: FindingsResult, metrics: Mapping[str, Any]) -> list[str]:
    """What the size of the test part lets nobody know."""
    found = []
    for number, name in enumerate(result.tested.names):
        patients = result.scans.patients[result.tested.targets[:, number] == 1]
        found += [few_patients(len(np.unique(patients)), f"with {name!r}")]
    found += wide_intervals(metrics["test"])
    return [text for text in found if text]


def _rivals(
    prepared: Prepared,
    model: FindingsModel,
    scans: FindingScans,
    settings: RunSettings,
    clock: Clock,
) -> tuple[dict[str, FindingPredictions], list[str]]:
    clock.step("baselines", "Running the baselines")
    seed = derive_seed(settings.seed, "head")
    rivals = FindingRivals(
        scans,
        model.encoder,
        head_settings(settings),
        settings.seed,
        None if settings.target == "balanced" else aim_findings(prepared, settings),
        partial(unlabelled_table, prepared, seed=seed, most=MOST_FOR_SCALE),
    )
    metadata, told = rivals.by_metadata(prepared.table)
    extra = {"metadata": rivals.majority() if metadata is None else metadata}
    done = {"pixels-pca-svm": 0, "hog-svm": 1, "untrained-encoder": 2}

    def step(name: str) -> None:
        clock.progress(done[name], 3, name)

    found = run_baselines(rivals, extra, step, model.models[0].kind)
    if prepared.covariates is not None:
        plain = replace(prepared, covariates=None)
        found[WITHOUT] = replace(
            rivals,
            scans=replace(scans, scans=replace(scans.scans, beside=None)),
            aim=None if rivals.aim is None else aim_findings(plain, settings),
            unlabelled=partial(unlabelled_table, plain, seed=seed, most=MOST_FOR_SCALE),
        ).with_features(model.models[0].extract)
    return found, told
