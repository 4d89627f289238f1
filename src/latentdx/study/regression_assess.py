"""The evaluation step where labels are numbers: the test part, baselines, control, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.cases import PLURALS
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.labelled_values import ValuedScans
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.regression_model import RegressionModel, RegressionOutputs
from latentdx.diagnosis.regressors import regressor_name
from latentdx.features.table import put_beside
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.estimate import Estimate
from latentdx.report.cautions import few_patients
from latentdx.report.evaluate import rebuilt_estimates
from latentdx.report.predictions import as_json
from latentdx.report.strata import Strata
from latentdx.report.value_baselines import ValueRivals, value_baselines
from latentdx.report.value_control import shuffled_values
from latentdx.report.value_predictions import ValuePredictions, value_verdict
from latentdx.report.value_words import how_it_predicts
from latentdx.report.verdict import WITHOUT
from latentdx.study.assess import audit_warnings, tell_covariates, told_columns
from latentdx.study.drift import tell_shift
from latentdx.study.failures import tell_failures
from latentdx.study.prepare import Prepared
from latentdx.study.regression_fit import interval_notes, value_settings
from latentdx.study.reporter import Clock
from latentdx.study.rules import tell_rules
from latentdx.study.settings import RunSettings
from latentdx.study.shortcuts import shortcuts_told
from latentdx.study.unlabelled import MOST_FOR_SCALE, unlabelled_table

_CONTROL_FAR = 0.1


@dataclass(frozen=True)
class ValueResult:
    """The model's outputs on the cases of the test part, and what is scored of them."""

    tested: ValuedScans
    outputs: RegressionOutputs

    @property
    def scans(self) -> LabelledScans:
        """The test scans; of cases the first."""
        return self.tested.scans

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(N, D), of cases their scans' mean."""
        return self.outputs.look.views[0]

    @property
    def predictions(self) -> ValuePredictions:
        """What is scored."""
        return ValuePredictions(self.tested.values, self.outputs.values, self.scans.patients)


@dataclass(frozen=True)
class ValueAssessment:
    """Everything measured on the test part; `metrics` is the content of ``metrics.json``."""

    model: RegressionModel
    result: ValueResult
    metrics: dict[str, Any]
    verdict: str
    decided: tuple[str, ...]
    strata: Strata


def assess_values_step(
    prepared: Prepared, model: RegressionModel, settings: RunSettings, clock: Clock
) -> ValueAssessment:
    """Score the model and everything it is compared with on the same test scans."""
    valued = prepared.load_values("train", "test")
    clock.step("evaluate", "Evaluating on the test part")
    result = evaluate_values(model, valued.part("test"))
    clock.step("baselines", "Running the baselines")
    rivals, same = _rivals(prepared, model, valued, settings, clock)
    clock.step("control", "Running the control: shuffled labels")
    scans, seed = valued.scans, settings.seed
    embeddings = model.extract(scans.pixels)
    features = scans.pooled(model.head.reduced(put_beside(embeddings, scans.beside)))
    control = shuffled_values(model.head, valued.decided(), features, seed)
    clock.step("report", "Computing intervals and writing the report")
    metrics = value_metrics(prepared, model, result, seed)
    metrics["baselines"] = {name: as_json(one.metrics(seed)) for name, one in rivals.items()}
    metrics["controls"] = {"shuffled-labels": as_json(control)}
    metrics["shortcuts"] = shortcuts_told(prepared, scans, embeddings, seed)
    metrics["warnings"] += [*_warnings(control, settings), *told_columns(same)]
    strata = tell_failures(metrics, model, result, prepared.table, seed)
    decided = how_it_predicts(model)
    if prepared.covariates is not None:
        decided = (*decided, tell_covariates(prepared, result, rivals, metrics, seed))
    test = scans.part("test")
    decided += tell_rules(metrics, model.rules, prepared, test, result.predictions, seed)
    tell_shift(metrics, model, valued.part("test"), prepared, seed)
    counted = PLURALS[prepared.decide_by]
    verdict = value_verdict(result.predictions, rivals, seed, model.units, counted)
    return ValueAssessment(model, result, metrics, verdict, decided, strata)


def evaluate_values(model: RegressionModel, test: ValuedScans) -> ValueResult:
    """Run the model on every test scan; those it would not evaluate are scored all the same."""
    cases = None if test.scans.cases is None else test.scans.together()
    outputs = model.compute(test.scans.pixels, test.scans.beside, cases)
    return ValueResult(test.decided(), outputs)


def value_metrics(
    prepared: Prepared, model: RegressionModel, result: ValueResult, seed: int
) -> dict[str, Any]:
    """What is told of the model itself; baselines and controls are none yet."""
    told, scans, rule = result.predictions, result.scans, model.sets
    return {
        **({} if model.decide_by == "scan" else {"decide_by": model.decide_by}),
        "task": "regression",
        "units": model.units,
        "test": as_json(told.metrics(seed)),
        "baselines": {},
        "controls": {},
        "intervals": {
            "target_coverage": rule.coverage,
            "half_width": rule.half_width if math.isfinite(rule.half_width) else None,
            "n_patients": rule.n_patients,
            "coverage": _coverage(result, seed).as_json(),
        },
        "reconstruction": rebuilt_estimates(scans, result.outputs.look.reconstructions, seed),
        "seconds": {},
        "warnings": [
            *audit_warnings(prepared),
            *interval_notes(rule),
            *filter(None, [few_patients(len(np.unique(scans.patients)))]),
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
    found, same = value_baselines(
        rivals, prepared.table, lambda name: clock.progress(done[name], 3, name)
    )
    if prepared.covariates is not None:
        plain = replace(prepared, covariates=None)
        found[WITHOUT] = replace(
            rivals,
            scans=replace(valued, scans=replace(valued.scans, beside=None)),
            unlabelled=partial(unlabelled_table, plain, seed=seed, most=MOST_FOR_SCALE),
        ).with_features(model.extract)
    return found, same


def _coverage(result: ValueResult, seed: int) -> Estimate:
    """The share of test scans whose value lies in their interval."""
    low, high = result.outputs.intervals.T
    values = result.tested.values
    inside = ((values >= low) & (values <= high)).astype(np.float64)

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (weights @ inside / weights.sum(axis=1))[:, None]
        return found

    generator = numpy_generator(seed, "bootstrap")
    return bootstrap(statistic, result.scans.patients, generator=generator)[0]


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
