"""The learning steps of several findings a scan: a classifier for each on shared features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.findings import Findings, question_classes
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.findings_head import train_heads
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.set_rule import SetRule
from latentdx.diagnosis.views import Viewed
from latentdx.features.extract import embed
from latentdx.features.table import Extract
from latentdx.report.findings_rivals import Aim
from latentdx.study.decide import (
    check_choices,
    decide_by,
    notes_of,
    parts_of_tune,
    require_prevalence_of_two,
    with_threshold,
)
from latentdx.study.learn import gate_of, head_settings, policy_of
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings
from latentdx.study.unlabelled import MOST, MOST_FOR_SCALE, unlabelled_table


def asked_of(prepared: Prepared) -> Findings:
    """The findings that a study asks for."""
    assert prepared.findings is not None, "the task is not multi-label"
    return prepared.findings


def check_findings_choices(prepared: Prepared, settings: RunSettings) -> None:
    """Before anything is trained, refuse what cannot be done with several findings a scan.

    Raises `StopError` ``E_OPTION``: features to be chosen, attention, an unknown column.
    """
    if settings.pool == "attention":
        text = "--pool attention with several findings a scan: each would weigh scans differently"
        raise StopError("E_OPTION", text, fix="leave it out: scores are averaged")
    if settings.features == "auto":
        text = "--features auto with several findings a scan: not supported yet"
        raise StopError("E_OPTION", text, fix="name the features, or leave the option out")
    require_prevalence_of_two(settings.prevalence, 0)
    check_choices(replace(prepared, classes=question_classes("finding")), settings)


def fit_findings(
    prepared: Prepared, network: Autoencoder, settings: RunSettings, clock: Clock
) -> FindingsModel:
    """Features once; then for each finding classifier, calibration and decisions, as `fit_step`."""
    clock.step("fit", "Fitting a classifier for each finding")
    for note in asked_of(prepared).notes():
        clock.note(note)
    scans = prepared.load_findings("train", "tune", "calibrate")
    assert settings.features != "auto", "refused before"
    kind = settings.features
    extract = partial(embed, network, kind=kind)
    seed = derive_seed(settings.seed, "head")
    most = MOST_FOR_SCALE if settings.semi_supervised == "none" else MOST
    heads = train_heads(
        scans.part("train"),
        scans.part("calibrate"),
        extract,
        head_settings(settings),
        seed=seed,
        unlabelled=unlabelled_table(prepared, extract, seed=seed, most=most),
    )
    gate, policy = gate_of(prepared, network, scans.scans, settings), policy_of(prepared)
    tune = scans.part("tune")
    seen = Viewed.of(tune.scans, extract, flip=settings.flip)
    flip, every = settings.flip, SetRule("marginal", (0.0,))
    models = []
    for number, head in enumerate(heads):
        classes = question_classes(scans.names[number])
        model = DiagnosticModel(
            *(network, head, classes, kind, flip, every, gate),
            policy=policy,
            covariates=prepared.covariates,
            decide_by=prepared.decide_by,
        )
        asked = replace(seen, scans=tune.question(number))
        models.append(decide_by(model, asked, prepared, settings))
    found = FindingsModel(tuple(models), asked_of(prepared))
    for note in notes_by_finding(found):
        clock.note(note)
    return found


def aim_findings(prepared: Prepared, settings: RunSettings) -> Aim:
    """What gives the heads of a baseline the model's target, finding by finding."""
    tune = prepared.load_findings("tune")
    seed = derive_seed(settings.seed, "decide")
    decided = tune.decided()
    rows, _ = parts_of_tune(decided.scans.patients, settings)

    def aim(heads: Sequence[Head], extract: Extract) -> list[Head]:
        seen = Viewed.of(tune.scans, extract, flip=settings.flip)
        return [
            with_threshold(
                head,
                head.probabilities(seen.scores(head)),
                decided.question(number),
                rows,
                settings.target,
                seed,
            )
            for number, head in enumerate(heads)
        ]

    return aim


def notes_by_finding(model: FindingsModel) -> list[str]:
    """What could not be promised, and of which findings."""
    found: dict[str, list[str]] = {}
    for name, one in zip(model.findings.names, model.models, strict=True):
        for note in notes_of(one.sets, one.risk):
            found.setdefault(note, []).append(name)
    return _told(found)


def _told(found: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{note} (of {', '.join(names)})" for note, names in found.items()]
