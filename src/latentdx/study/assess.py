"""The evaluation step: the test part, the baselines, the control, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from latentdx.collection.labelled import LabelledScans, load_parts
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.metrics.estimate import Estimate
from latentdx.report.abstention import abstention_of
from latentdx.report.baselines import Rivals, metadata_baseline, run_baselines
from latentdx.report.controls import ControlScans, shuffled_labels
from latentdx.report.decided import how_it_decides
from latentdx.report.evaluate import (
    TestResult,
    evaluate_test,
    reconstruction,
    subgroups,
)
from latentdx.report.predictions import Predictions, as_json
from latentdx.report.verdict import verdict
from latentdx.study.decide import aim_for, notes_of
from latentdx.study.learn import head_settings
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings
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


def assess_step(
    prepared: Prepared, model: DiagnosticModel, settings: RunSettings, clock: Clock
) -> Assessment:
    """Score the model and everything it is compared with on the same test scans."""
    scans = load_parts(
        prepared.collection, prepared.split, prepared.classes, "train", "calibrate", "test"
    )
    clock.step("evaluate", "Evaluating on the test part")
    test = scans.part("test")
    groups = groups_in(prepared.table, test.scan_ids.tolist(), model.sets.column)
    result = evaluate_test(model, test, groups)
    rivals, told = _rivals(prepared, model, scans, settings, clock)
    clock.step("control", "Running the control: shuffled labels")
    features = model.head.reduced(model.extract(scans.pixels))
    control = shuffled_labels(model.head, ControlScans(scans, features), settings.seed)
    clock.step("report", "Computing intervals and writing the report")
    metrics = _metrics(prepared, result, rivals, control, settings.seed)
    metrics["abstention"] = abstention_of(model, result, groups, settings.seed)
    metrics["warnings"] = [*_warnings(prepared, model, metrics, settings), *_told(told)]
    sentence = verdict(result.predictions, rivals, settings.seed)
    return Assessment(
        result, rivals, metrics, sentence, model.head.threshold, how_it_decides(model)
    )


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
    extra = {} if metadata is None else {"metadata": metadata}
    seed = derive_seed(settings.seed, "head")
    unlabelled = partial(unlabelled_table, prepared, seed=seed, most=MOST_FOR_SCALE)
    rivals = Rivals(scans, model.encoder, head_settings(settings), settings.seed, aim, unlabelled)
    done = {"pixels-pca-svm": 0, "hog-svm": 1, "untrained-encoder": 2}
    return run_baselines(rivals, extra, lambda name: clock.progress(done[name], 3, name)), told


def _metrics(
    prepared: Prepared,
    result: TestResult,
    rivals: Mapping[str, Predictions],
    control: Mapping[str, Estimate],
    seed: int,
) -> dict[str, Any]:
    return {
        "test": as_json(result.predictions.metrics(seed)),
        "baselines": {name: as_json(rival.metrics(seed)) for name, rival in rivals.items()},
        "controls": {"shuffled-labels": as_json(control)},
        "subgroups": subgroups(result, prepared.table, seed),
        "reconstruction": reconstruction(result, seed),
    }


def _told(names: list[str]) -> list[str]:
    return [
        f"the column {name!r} is the label in other words: left out of the metadata baseline"
        for name in names
    ]


def audit_warnings(prepared: Prepared) -> list[str]:
    """What the audit found, what makes scores invalid first."""
    invalid = [f"INVALID: {prepared.invalid}"] if prepared.invalid else []
    return invalid + [item.text for item in prepared.audit.findings if item.severity == "warning"]


def _warnings(
    prepared: Prepared, model: DiagnosticModel, metrics: dict[str, Any], settings: RunSettings
) -> list[str]:
    """What a reader must know before believing a number."""
    found = audit_warnings(prepared)
    found += notes_of(model.sets, model.risk)
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
