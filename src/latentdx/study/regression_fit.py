"""The learning step where labels are numbers: a machine on an encoder's features."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from latentdx.autoencoder.base import Autoencoder
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.conformal_values import half_width
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.regression_head import train_regression_head
from latentdx.diagnosis.regression_model import IntervalRule, RegressionModel
from latentdx.diagnosis.regressors import regressor_name
from latentdx.diagnosis.views import Viewed
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind
from latentdx.study.fine_tuning import blocks_for, check_fine_tuning
from latentdx.study.learn import gate_of, policy_of
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.scratch import check_scratch
from latentdx.study.settings import RunSettings
from latentdx.study.unlabelled import MOST_FOR_SCALE, unlabelled_table

_OF_CLASSES = (
    *(
        "target",
        "prevalence",
        "risk",
        "prediction_sets",
        "calibration",
        "semi_supervised",
        "positive",
        "order",
    ),
    "pool",
)


def check_values_choices(prepared: Prepared, settings: RunSettings) -> None:
    """Before anything is trained, refuse what only classes have.

    Raises `StopError` ``E_OPTION``, and ``E_CLASSIFIER`` for a machine that predicts no numbers.
    """
    check_fine_tuning(settings, prepared.task, blocks_for(settings, prepared))
    check_scratch(settings, prepared.task)
    regressor_name(settings.classifier)
    _kind(settings)
    usual = RunSettings(source=settings.source)
    for name in _OF_CLASSES:
        if getattr(settings, name) != getattr(usual, name):
            option = f"--{name.replace('_', '-')}"
            found = f"{option} with --task regression"
            raise StopError("E_OPTION", found, fix=f"leave {option} out: it is for classes")


def _kind(settings: RunSettings) -> FeatureKind:
    """The features that are asked for. Raises `StopError` ``E_OPTION`` for ``auto``."""
    if settings.features == "auto":
        found = "--features auto with --task regression"
        raise StopError("E_OPTION", found, fix="name the features: it chooses by classes")
    return settings.features


def value_settings(settings: RunSettings) -> HeadSettings:
    """How many copies are made, and what features become; the machine's name is beside it."""
    is_process = settings.classifier == "gaussian-process"
    return HeadSettings("gaussian-process" if is_process else "svm", flip=settings.flip)


def fit_values_step(
    prepared: Prepared, network: Autoencoder, settings: RunSettings, clock: Clock
) -> RegressionModel:
    """Features and machine (on train), intervals (on tune and calibrate), the gate (calibrate)."""
    clock.step("fit", "Fitting the machine")
    valued = prepared.load_values("train", "tune", "calibrate")
    kind = _kind(settings)
    extract = partial(embed, network, kind=kind)
    seed = derive_seed(settings.seed, "head")
    train = valued.part("train")
    head = train_regression_head(
        train,
        extract,
        regressor_name(settings.classifier),
        value_settings(settings),
        seed=seed,
        unlabelled=unlabelled_table(prepared, extract, seed=seed, most=MOST_FOR_SCALE),
    )
    held = valued.part("tune", "calibrate")
    seen = Viewed.of(held.scans, extract, flip=settings.flip)
    errors = head.values(seen.scores(head)) - held.decided().values
    patients = seen.decided.patients
    width = half_width(errors, patients, settings.coverage)
    rule = IntervalRule(width, settings.coverage, len(np.unique(patients)))
    for note in interval_notes(rule):
        clock.note(note)
    gate = gate_of(prepared, network, valued.scans, settings)
    return RegressionModel(
        *(network, head, kind, settings.flip, rule, gate, settings.unit),
        policy=policy_of(prepared),
        covariates=prepared.covariates,
        decide_by=prepared.decide_by,
    )


def interval_notes(rule: IntervalRule) -> list[str]:
    """What could not be promised, in words."""
    if math.isfinite(rule.half_width):
        return []
    needed = math.ceil(rule.coverage / (1 - rule.coverage) - 1e-9)
    return [
        f"intervals: tune and calibrate have {rule.n_patients} patients, and {needed} are needed "
        f"for a coverage of {rule.coverage:g}: intervals have no end"
    ]
