"""External validation of a model of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentdx.bundle.schema import ValueDescription
from latentdx.collection.audit import audit
from latentdx.collection.labelled_values import load_values
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.split_values import split_by_value
from latentdx.collection.store import Collection
from latentdx.collection.tasks import resolve_task
from latentdx.collection.values import check_values
from latentdx.core.files import write_atomic, write_json
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.report.language import Language, in_language
from latentdx.report.value_page import render_values
from latentdx.study.external_part import check_collection, own_test_part, what_was_tested
from latentdx.study.prepare import Prepared
from latentdx.study.regression_assess import assessment_of, run_on_test, value_metrics
from latentdx.study.regression_publish import (
    ValuesMade,
    value_content,
    write_value_predictions,
)
from latentdx.study.settings import RunSettings


def evaluate_values(
    model: RegressionModel,
    told: ValueDescription,
    collection: Collection,
    out: Path,
    language: Language = "en",
) -> tuple[dict[str, Any], str]:
    """See `evaluate_bundle`. Raises `StopError` ``E_TASK`` where a label is no number."""
    table = collection.metadata()
    check_collection(model.encoder, collection, table)
    labels = table.label[table.is_labelled].tolist()
    resolve_task(labels, "regression")
    check_values(labels)
    split, is_own = own_test_part(told, collection, table, split_by_value)
    near = kept_near_duplicates(collection, table) if is_own else None
    found = audit(table, split.parts, near).of_values()
    prepared = Prepared(collection, table, split, (), found, task="regression")
    test = load_values(collection, split, "test")
    outputs, _ = run_on_test(model, test)
    metrics = value_metrics(prepared, model, test, outputs, told.seed)
    sentence = what_was_tested(is_own)
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
    )
    made = ValuesMade(settings, prepared, assessment_of(model, test, outputs, metrics, sentence))
    out.mkdir(parents=True, exist_ok=True)
    write_value_predictions(out / "predictions.csv", made)
    page = render_values(value_content(made, {"bundle": model.bundle}, ()))
    write_atomic(out / "report.html", in_language(page, language))
    write_json(out / "metrics.json", metrics)
    return metrics, sentence
