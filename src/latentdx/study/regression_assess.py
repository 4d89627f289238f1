"""The evaluation step where labels are numbers: the test part, baselines, control, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled_values import ValuedScans, load_values
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.regression_model import RegressionModel, RegressionOutputs
from latentdx.diagnosis.regressors import regressor_name
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.estimate import Estimate
from latentdx.report.cautions import few_patients
from latentdx.report.evaluate import rebuilt_estimates
from latentdx.report.predictions import as_json
from latentdx.report.subgroups import subgroups
from latentdx.report.value_baselines import ValueRivals, value_baselines
from latentdx.report.value_control import shuffled_values
from latentdx.report.value_predictions import ValuePredictions, value_verdict
from latentdx.report.value_words import how_it_predicts
from latentdx.study.assess import audit_warnings, told_columns
from latentdx.study.prepare import Prepared
from latentdx.study.regression_fit import interval_notes, value_settings
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings
from latentdx.study.shortcuts import shortcuts_told
from latentdx.study.unlabelled import MOST_FOR_SCALE, unlabelled_table

_CONTROL_FAR = 0.1


@dataclass(frozen=True)
class ValueAssessment:
    """Everything measured on the test part; `metrics` is the content of ``metrics.json``."""

    test: ValuedScans
    outputs: RegressionOutputs
    predictions: ValuePredictions
    metrics: dict[str, Any]
    verdict: str
    half_width: float
    units: str
    decided: tuple[str, ...]


def assess_values_step(
    prepared: Prepared, model: RegressionModel, settings: RunSettings, clock: Clock
) -> ValueAssessment:
    """Score the model and everything it is compared with on the same test scans."""
    valued = load_values(prepared.collection, prepared.split, "train", "test")
    clock.step("evaluate", "Evaluating on the test part")
    test = valued.part("test")
    outputs, told = run_on_test(model, test)
    clock.step("baselines", "Running the baselines")
    rivals, same = _rivals(prepared, model, valued, settings, clock)
    clock.step("control", "Running the control: shuffled labels")
    embeddings = model.extract(valued.scans.pixels)
    features = model.head.reduced(embeddings)
    control = shuffled_values(model.head, valued, features, settings.seed)
    clock.step("report", "Computing intervals and writing the report")
    metrics = value_metrics(prepared, model, test, outputs, settings.seed)
    metrics["baselines"] = {
        name: as_json(one.metrics(settings.seed)) for name, one in rivals.items()
    }
    metrics["controls"] = {"shuffled-labels": as_json(control)}
    metrics["shortcuts"] = shortcuts_told(prepared, valued.scans, embeddings, settings.seed)
    metrics["warnings"] += [*_warnings(control, settings), *told_columns(same)]
    verdict = value_verdict(told, rivals, settings.seed, model.units)
    return assessment_of(model, test, outputs, metrics, verdict)


def run_on_test(
    model: RegressionModel, test: ValuedScans
) -> tuple[RegressionOutputs, ValuePredictions]:
    """Run the model on every test scan; those it would not evaluate are scored all the same."""
    outputs = model.compute(test.scans.pixels)
    return outputs, ValuePredictions(test.values, outputs.values, test.scans.patients)


def assessment_of(
    model: RegressionModel,
    test: ValuedScans,
    outputs: RegressionOutputs,
    metrics: dict[str, Any],
    verdict: str,
) -> ValueAssessment:
    """All that is told of a tested model."""
    told = ValuePredictions(test.values, outputs.values, test.scans.patients)
    width, decided = model.sets.half_width, how_it_predicts(model)
    return ValueAssessment(test, outputs, told, metrics, verdict, width, model.units, decided)


def value_metrics(
    prepared: Prepared,
    model: RegressionModel,
    test: ValuedScans,
    outputs: RegressionOutputs,
    seed: int,
) -> dict[str, Any]:
    """What is told of the model itself; baselines and controls are none yet."""
    told = ValuePredictions(test.values, outputs.values, test.scans.patients)
    rule = model.sets
    return {
        "task": "regression",
        "units": model.units,
        "test": as_json(told.metrics(seed)),
        "baselines": {},
        "controls": {},
        **subgroups(told, test.scans.scan_ids.tolist(), prepared.table, seed),
        "intervals": {
            "target_coverage": rule.coverage,
            "half_width": rule.half_width if math.isfinite(rule.half_width) else None,
            "n_patients": rule.n_patients,
            "coverage": _coverage(outputs, test, seed).as_json(),
        },
        "reconstruction": rebuilt_estimates(test.scans, outputs.look.reconstructions, seed),
        "seconds": {},
        "warnings": [
            *audit_warnings(prepared),
            *interval_notes(rule),
            *filter(None, [few_patients(len(np.unique(test.scans.patients)))]),
        ],
    }


def _rivals(
    prepared: Prepared,
    model: RegressionModel,
    valued: ValuedScans,
    settings: RunSettings,
    clock: Clock,
) -> tuple[dict[str, ValuePredictions], list[str]]:
    seed = derive_seed(settings.seed, "head")
    unlabelled = partial(unlabelled_table, prepared, seed=seed, most=MOST_FOR_SCALE)
    name, how = regressor_name(settings.classifier), value_settings(settings)
    rivals = ValueRivals(valued, model.encoder, name, how, settings.seed, unlabelled)
    done = {"pixels-pca-svm": 0, "hog-svm": 1, "untrained-encoder": 2}
    return value_baselines(rivals, prepared.table, lambda name: clock.progress(done[name], 3, name))


def _coverage(outputs: RegressionOutputs, test: ValuedScans, seed: int) -> Estimate:
    """The share of test scans whose value lies in their interval."""
    low, high = outputs.intervals.T
    inside = ((test.values >= low) & (test.values <= high)).astype(np.float64)

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (weights @ inside / weights.sum(axis=1))[:, None]
        return found

    generator = numpy_generator(seed, "bootstrap")
    return bootstrap(statistic, test.scans.patients, generator=generator)[0]


def _warnings(control: Mapping[str, Estimate], settings: RunSettings) -> list[str]:
    found = []
    if settings.one_scan_per_patient:
        found.append("patients were not known: every scan was declared a patient of its own")
    left = control["pearson"]
    if left.value is not None and left.low is not None and left.value > _CONTROL_FAR < left.low:
        found.append(
            f"the shuffled-label control keeps a correlation of {left.value:.3f}: look for a leak"
        )
    return found
