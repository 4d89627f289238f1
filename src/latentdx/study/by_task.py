"""What a study does once it has an encoder, by its task: the one place where tasks part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from latentdx.autoencoder.base import Autoencoder
from latentdx.bundle.save import AnyModel
from latentdx.collection.tasks import TaskName
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.report.ancestry import transfer_of
from latentdx.study.assess import assess_step
from latentdx.study.decide import check_choices
from latentdx.study.drift import with_reference
from latentdx.study.features_choice import classes_step
from latentdx.study.findings_assess import assess_findings
from latentdx.study.findings_learn import check_findings_choices, fit_findings
from latentdx.study.findings_publish import FindingsMade, publish_findings
from latentdx.study.folder import RunFolder
from latentdx.study.prepare import Prepared
from latentdx.study.pretrained import Pretrained
from latentdx.study.publish import Made, publish
from latentdx.study.regression_assess import assess_values_step
from latentdx.study.regression_fit import check_values_choices, fit_values_step
from latentdx.study.regression_publish import ValuesMade, publish_values
from latentdx.study.repeat import check_repeated, repeated_step
from latentdx.study.reporter import Clock
from latentdx.study.rules import check_rules
from latentdx.study.seen import knowing_seen
from latentdx.study.settings import RunSettings


@dataclass(frozen=True)
class Finished:
    """The content of ``metrics.json``, one sentence on it, and the bundle's SHA-256 (hex)."""

    metrics: dict[str, Any]
    verdict: str
    bundle: str


@dataclass(frozen=True)
class Work:
    """What a task has of its own.

    Attributes
    ----------
    check: refuses, before anything is trained, what cannot be done with these scans.
    fit: a model on an encoder's features.
    finish: fits, evaluates on the test part, and writes the results.
    """

    check: Callable[[Prepared, RunSettings], None]
    fit: Callable[[Prepared, Autoencoder, RunSettings, Clock], AnyModel]
    finish: Callable[[Prepared, Pretrained, RunSettings, RunFolder, Clock], Finished]


Model = TypeVar("Model", DiagnosticModel, FindingsModel, RegressionModel)


def _completed(model: Model, prepared: Prepared, settings: RunSettings) -> Model:
    """A fitted model with what it takes along: a reference to tell drift by, rules, and codes.

    What it has seen is noted by `knowing_seen`, once that is known.
    """
    model = replace(model, rules=settings.rules)
    if isinstance(model, DiagnosticModel):
        model = replace(model, terms=settings.terms)
    return with_reference(model, prepared, settings.seed)


def _fit_classes(
    prepared: Prepared, network: Autoencoder, settings: RunSettings, clock: Clock
) -> AnyModel:
    model, _ = classes_step(prepared, network, settings, clock)
    return _completed(model, prepared, settings)


def _finish_classes(
    prepared: Prepared,
    pretrained: Pretrained,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
) -> Finished:
    model, chosen = classes_step(prepared, pretrained.network, settings, clock)
    model = knowing_seen(_completed(model, prepared, settings), prepared, pretrained.descent)
    repeated = repeated_step(prepared, settings, folder, clock, autoencoder=pretrained.module)
    assessment = assess_step(prepared, model, settings, clock, repeated)
    if chosen is not None:
        assessment.metrics["features"] = chosen.as_json()
    assessment.metrics.update(transfer_of(pretrained.descent.ancestry))
    assessment.metrics.update({"seconds": clock.seconds, **pretrained.told})
    bundle = publish(folder, Made(settings, prepared, assessment), pretrained, model)
    return Finished(assessment.metrics, assessment.verdict, bundle)


def _fit_findings(
    prepared: Prepared, network: Autoencoder, settings: RunSettings, clock: Clock
) -> FindingsModel:
    model = fit_findings(prepared, network, settings, clock)
    return _completed(model, prepared, settings)


def _finish_findings(
    prepared: Prepared,
    pretrained: Pretrained,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
) -> Finished:
    model = _fit_findings(prepared, pretrained.network, settings, clock)
    model = knowing_seen(model, prepared, pretrained.descent)
    assessment = assess_findings(prepared, model, settings, clock)
    assessment.metrics.update(transfer_of(pretrained.descent.ancestry))
    assessment.metrics.update({"seconds": clock.seconds, **pretrained.told})
    bundle = publish_findings(folder, FindingsMade(settings, prepared, assessment), pretrained)
    return Finished(assessment.metrics, assessment.verdict, bundle)


_CLASSES = Work(check_choices, _fit_classes, _finish_classes)


def _fit_values(
    prepared: Prepared, network: Autoencoder, settings: RunSettings, clock: Clock
) -> RegressionModel:
    model = fit_values_step(prepared, network, settings, clock)
    return _completed(model, prepared, settings)


def _finish_values(
    prepared: Prepared,
    pretrained: Pretrained,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
) -> Finished:
    model = _fit_values(prepared, pretrained.network, settings, clock)
    model = knowing_seen(model, prepared, pretrained.descent)
    told = assess_values_step(prepared, model, settings, clock)
    told.metrics.update(transfer_of(pretrained.descent.ancestry))
    told.metrics.update({"seconds": clock.seconds, **pretrained.told})
    bundle = publish_values(folder, ValuesMade(settings, prepared, told), pretrained, model)
    return Finished(told.metrics, told.verdict, bundle)


WORK: Mapping[TaskName, Work] = {
    "classes": _CLASSES,
    "ordinal": _CLASSES,
    "multi-label": Work(check_findings_choices, _fit_findings, _finish_findings),
    "regression": Work(check_values_choices, _fit_values, _finish_values),
}


def check_work(prepared: Prepared, settings: RunSettings) -> None:
    """Refuse, before anything is trained, what the task of these scans cannot do with them."""
    check_repeated(prepared, settings)
    check_rules(prepared, settings)
    WORK[prepared.task].check(prepared, settings)
