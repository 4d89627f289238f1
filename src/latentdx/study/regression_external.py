"""External validation of a model of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentdx.bundle.schema import ValueDescription
from latentdx.collection.split_values import split_by_value
from latentdx.collection.store import Collection
from latentdx.collection.tasks import resolve_task
from latentdx.collection.values import check_values
from latentdx.core.files import write_atomic, write_json
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.report.language import in_language
from latentdx.report.value_page import render_values
from latentdx.report.value_words import how_it_predicts
from latentdx.study.covariates import tell_known
from latentdx.study.drift import tell_drift
from latentdx.study.external_part import check_collection, tested_part
from latentdx.study.external_wanted import Wanted
from latentdx.study.failures import tell_failures
from latentdx.study.prepare import Prepared
from latentdx.study.regression_assess import ValueAssessment, evaluate_values, value_metrics
from latentdx.study.regression_publish import (
    ValuesMade,
    value_content,
    write_value_predictions,
)
from latentdx.study.rules import tell_rules
from latentdx.study.settings import RunSettings


def evaluate_value_bundle(
    model: RegressionModel,
    told: ValueDescription,
    collection: Collection,
    out: Path,
    wanted: Wanted,
) -> tuple[dict[str, Any], str]:
    """See `evaluate_bundle`. Raises `StopError` ``E_TASK`` where a label is no number."""
    table = collection.metadata()
    check_collection(model.encoder, collection, table)
    labels = table.label[table.is_labelled].tolist()
    resolve_task(labels, "regression")
    check_values(labels)
    opened = collection, table
    tested = tested_part(told, model.seen, opened, split_by_value, wanted.overlap)
    prepared = Prepared(
        *(collection, table, tested.split, (), tested.audited(*opened).of_values()),
        task="regression",
        covariates=model.covariates,
        decide_by=model.decide_by,
    )
    test = prepared.load_values("test")
    result = evaluate_values(model, test)
    metrics = {**value_metrics(prepared, model, result, told.seed), **tested.told}
    strata = tell_failures(metrics, model, result, table, told.seed)
    tell_drift(metrics, model, test, prepared, told.seed)
    if model.covariates is not None:
        tell_known(model.covariates, table, result.scans, metrics)
    settings = RunSettings(
        source=str(collection.path),
        task="regression",
        unit=told.units,
        seed=told.seed,
        autoencoder=told.encoder.name,
        classifier=told.head.regressor,
        features=told.head.features,
        flip=told.head.flip,
        coverage=told.head.coverage,
        decide_by=told.head.decide_by,
        covariates=tuple(column.name for column in told.head.covariates),
        rules=tuple(told.rules),
    )
    decided = how_it_predicts(model)
    decided += tell_rules(metrics, model.rules, prepared, test.scans, result.predictions, told.seed)
    assessment = ValueAssessment(model, result, metrics, tested.sentence, decided, strata)
    made = ValuesMade(settings, prepared, assessment)
    out.mkdir(parents=True, exist_ok=True)
    write_value_predictions(out / "predictions.csv", made)
    page = render_values(value_content(made, {"bundle": model.bundle}, ()))
    write_atomic(out / "report.html", in_language(page, wanted.language))
    write_json(out / "metrics.json", metrics)
    return metrics, tested.sentence
