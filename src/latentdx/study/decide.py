"""From probabilities to decisions: threshold, prediction sets and abstention, by ``tune``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.abstain import RiskControl, confidences, control_risk, fewest_patients
from latentdx.diagnosis.head import Head, score_scans
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.own_classifier import class_name
from latentdx.diagnosis.scan_groups import groups_in, require_column
from latentdx.diagnosis.set_rule import SetRule, fit_sets, parse_sets
from latentdx.diagnosis.threshold import choose_threshold, parse_target, require_two_classes
from latentdx.diagnosis.views import Viewed
from latentdx.features.table import Extract
from latentdx.metrics.bootstrap import patient_groups
from latentdx.study.fine_tuning import blocks_for, check_fine_tuning
from latentdx.study.prepare import Prepared
from latentdx.study.scratch import check_scratch
from latentdx.study.settings import RunSettings

Table = NDArray[np.float64]


def check_choices(prepared: Prepared, settings: RunSettings) -> None:
    """Before anything is trained, refuse what cannot be done with these scans.

    Raises `StopError`: ``E_CLASSIFIER``; ``E_OPTION``: a unit of classes, a target or a prevalence
    for more than two of them, an unknown column, an order of classes that have none, a positive
    one of grades, fine-tuning or a CNN for grades, what only fine-tuning can do where it is off.
    """
    check_fine_tuning(settings, prepared.task, blocks_for(settings, prepared))
    check_scratch(settings, prepared.task)
    check_pool(settings)
    class_name(settings.classifier)
    if settings.unit:
        raise StopError("E_OPTION", "--unit without --task regression", fix="leave --unit out")
    if prepared.task == "ordinal" and settings.positive is not None:
        raise StopError("E_OPTION", "--positive with grades", fix="give their order by --order")
    if prepared.task != "ordinal" and settings.order:
        raise StopError("E_OPTION", "--order without --task ordinal", fix="add --task ordinal")
    require_two_classes(settings.target, len(prepared.classes))
    require_prevalence_of_two(settings.prevalence, len(prepared.classes))
    require_column(prepared.table, parse_sets(settings.prediction_sets)[1])


def require_prevalence_of_two(prevalence: float | None, n_classes: int) -> None:
    """Raise `StopError` ``E_OPTION`` where a prevalence is given and there are not two classes."""
    if prevalence is not None and n_classes != 2:
        fix = (
            "leave --prevalence out: one share says nothing of several findings, grades or classes"
        )
        raise StopError("E_OPTION", "--prevalence of other than two classes", fix=fix)


def check_pool(settings: RunSettings) -> None:
    """Raise `StopError` ``E_OPTION`` for attention where there is nothing to weigh."""
    if settings.pool != "attention":
        return
    if settings.decide_by == "scan":
        found, fix = "--pool attention weighs scans of a study or patient", "add --decide-by study"
        raise StopError("E_OPTION", found, fix=fix)
    if settings.fine_tune not in ("none", "auto"):
        found = "--pool attention does not go with --fine-tune: both are a second score"
        raise StopError("E_OPTION", found, fix="leave one of them out")


def decide_by(
    model: DiagnosticModel,
    seen: Viewed,
    prepared: Prepared,
    settings: RunSettings,
) -> DiagnosticModel:
    """The model with its threshold, prediction sets and abstention, fitted on ``tune`` as seen.

    Where both a rate and a risk are wanted, half of the patients choose the threshold and the
    other half test the risk: decisions that have seen a scan's label would look too good on it.
    """
    seed = derive_seed(settings.seed, "decide")
    tune = seen.decided
    table = model.head.probabilities(seen.scores(model.head))
    choosing, testing = parts_of_tune(tune.patients, settings)
    head = with_threshold(model.head, table, tune, choosing, settings.target, seed)
    decided = head.decide(table)
    column = parse_sets(settings.prediction_sets)[1]
    rule = fit_sets(
        table,
        tune.labels,
        sets=settings.prediction_sets,
        coverage=settings.coverage,
        groups=groups_in(prepared.table, tune.scan_ids.tolist(), column),
    )
    risk = None
    if settings.risk is not None:
        right = decided == tune.labels
        sure = confidences(table, decided)[testing]
        patients = tune.patients[testing]
        risk = control_risk(sure, right[testing], patients, settings.risk, seed=seed)
    return replace(model, head=head, sets=rule, risk=risk)


def aim_for(prepared: Prepared, settings: RunSettings) -> Callable[[Head, Extract], Head]:
    """What gives a baseline's head the model's target: sensitivities are compared like to like."""
    tune = prepared.load("tune")
    seed = derive_seed(settings.seed, "decide")
    decided = tune.decided()
    rows, _ = parts_of_tune(decided.patients, settings)

    def aim(head: Head, extract: Extract) -> Head:
        table = head.probabilities(score_scans(head, tune, extract, flip=settings.flip))
        return with_threshold(head, table, decided, rows, settings.target, seed)

    return aim


def notes_of(rule: SetRule, risk: RiskControl | None) -> list[str]:
    """What could not be promised, in words."""
    found = []
    if rule.n_small:
        found.append(
            f"prediction sets: {rule.n_small} of {len(rule.groups)} groups have too few scans in "
            "tune, and use the cutoff of all scans: coverage within them is not promised"
        )
    if 0.0 in (*rule.cutoffs, *rule.groups.values()):
        found.append(
            f"prediction sets: tune has too few scans for a coverage of {rule.coverage:g}: some "
            "sets hold every class"
        )
    if risk is not None and risk.cutoff is None:
        found.append(
            f"no abstention was found that keeps the risk at {risk.risk:g}: nothing is promised, "
            f"and --abstain goes by the prediction sets; tune has {risk.n_patients} patients to "
            f"test it by, and at least {fewest_patients(risk.risk)} sure and right ones are needed"
        )
    return found


def parts_of_tune(
    patients: Sequence[str] | NDArray[np.str_], settings: RunSettings
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Scans of ``tune`` that choose (threshold, features), and those that test the risk.

    `patients` are those of all its scans (N,). All may do both where nothing is chosen by their
    labels, or no risk is to be kept.
    """
    every = np.ones(len(patients), np.bool_)
    searched = parse_target(settings.target).kind in ("sensitivity", "specificity")
    if settings.risk is None or not (searched or settings.features == "auto"):
        return every, every
    seed = derive_seed(settings.seed, "decide")
    groups = patient_groups(patients)
    n_patients = int(groups.max()) + 1
    order = numpy_generator(seed, "halves").permutation(n_patients)
    first = order[groups] < n_patients / 2
    return first, ~first


def with_threshold(
    head: Head,
    table: Table,
    tune: LabelledScans,
    rows: NDArray[np.bool_],
    target: str,
    seed: int,
) -> Head:
    """The head with the threshold that a target asks for, by some rows of ``tune``.

    `table` (N, K): its probabilities of them.
    """
    wanted = parse_target(target)
    if wanted.kind == "balanced":
        return head
    found = choose_threshold(
        wanted, table[rows, 1], tune.labels[rows], tune.patients[rows], seed=seed
    )
    return replace(head, threshold=found.value, threshold_target=found.text)
