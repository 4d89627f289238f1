"""``--features auto``: the kind of features is chosen by the log-loss on ``tune``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.head import score_scans
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.one_error import (
    Floats,
    first_within_one_error,
    log_losses,
    standard_error,
)
from latentdx.features.extract import embed
from latentdx.features.kinds import KINDS, FeatureKind
from latentdx.features.table import Extract
from latentdx.metrics.bootstrap import patient_groups
from latentdx.study.decide import parts_of_tune
from latentdx.study.learn import fit_step, fitted_head
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings


@dataclass(frozen=True)
class Candidate:
    """A kind's mean log-loss on ``tune``, how much it lies above the best, and that one's error."""

    features: FeatureKind
    log_loss: float
    above_best: float
    standard_error: float


@dataclass(frozen=True)
class FeaturesChosen:
    """What was chosen, among which, on how many scans and patients of ``tune``."""

    chosen: FeatureKind
    candidates: tuple[Candidate, ...]
    n_scans: int
    n_patients: int

    def as_json(self) -> dict[str, Any]:
        """The entry ``features`` of ``metrics.json``."""
        return {**asdict(self), "candidates": [asdict(each) for each in self.candidates]}

    def sentence(self) -> str:
        """In words."""
        told = ", ".join(f"{each.features} {each.log_loss:.3f}" for each in self.candidates)
        return f"{self.chosen} features were chosen by the log-loss on tune: {told}"


def features_step(
    prepared: Prepared, network: Autoencoder, settings: RunSettings, clock: Clock
) -> FeaturesChosen | None:
    """Choose the kind of features, where it is ``auto``; None where it was given.

    With each kind a whole head is fitted on ``train`` and calibrated on ``calibrate``; the first of
    `KINDS` whose mean log-loss on ``tune`` is within one standard error of the best is taken.
    Where a risk is to be kept, half of the patients of ``tune`` choose: the others test it.
    """
    if settings.features != "auto":
        return None
    clock.step("features", "Choosing the features")
    labelled = prepared.load("train", "tune", "calibrate")
    tune = labelled.part("tune")
    tune = tune.take(parts_of_tune(tune.patients, settings)[0])
    losses = {}
    for number, kind in enumerate(KINDS):
        clock.progress(number, len(KINDS), kind)
        losses[kind] = _losses(
            prepared, labelled, tune, partial(embed, network, kind=kind), settings
        )
    found = _chosen(losses, patient_groups(tune.decided().patients.tolist()))
    clock.note(found.sentence())
    return found


def classes_step(
    prepared: Prepared, network: Autoencoder, settings: RunSettings, clock: Clock
) -> tuple[DiagnosticModel, FeaturesChosen | None]:
    """A model of classes on an encoder's features, and how their kind was chosen, where it was."""
    chosen = features_step(prepared, network, settings, clock)
    return fit_step(prepared, network, settings, clock, kind=kind_of(chosen)), chosen


def kind_of(chosen: FeaturesChosen | None) -> FeatureKind | None:
    """The kind that was chosen, where one was."""
    return None if chosen is None else chosen.chosen


def _losses(
    prepared: Prepared,
    labelled: LabelledScans,
    tune: LabelledScans,
    extract: Extract,
    settings: RunSettings,
) -> Floats:
    head = fitted_head(prepared, labelled, extract, settings)
    scores = score_scans(head, tune, extract, flip=settings.flip)
    return log_losses(head.probabilities(scores), tune.decided().labels)


def _chosen(losses: dict[FeatureKind, Floats], groups: Any) -> FeaturesChosen:
    best = min(losses.values(), key=lambda loss: float(loss.mean()))
    candidates = tuple(
        Candidate(
            kind,
            float(loss.mean()),
            float((loss - best).mean()),
            standard_error(loss - best, groups),
        )
        for kind, loss in losses.items()
    )
    n_patients = len(np.unique(groups))
    return FeaturesChosen(
        first_within_one_error(losses, groups), candidates, len(groups), n_patients
    )
