"""The rival that learns from labels alone: a network from scratch, without any autoencoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.boundary import TRUSTED, boundary_of
from latentdx.diagnosis.calibration_choice import fit_calibration
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.machines_linear import Linear
from latentdx.diagnosis.out_of_fold import Learned
from latentdx.diagnosis.scratch import Floats, Ints, Tell, learn_from_scratch, without_flips
from latentdx.diagnosis.scratch_recipe import Recipe
from latentdx.diagnosis.views import Viewed
from latentdx.features.whiten import PrincipalComponents, Standardiser
from latentdx.metrics.bootstrap import patient_groups
from latentdx.report.baselines import Rivals
from latentdx.report.predictions import Predictions

SCRATCH = "cnn-from-scratch"


def scratch_rival(
    rivals: Rivals, recipe: Recipe, tell: Tell = lambda done, total: None
) -> Predictions:
    """What a network says that was trained on the labelled scans of train alone.

    It sees the picture, and nothing that stands beside it. As of other baselines its scores are
    averaged over mirror images and over the scans of a case, calibrated on calibrate, and given the
    model's target. `tell` hears of steps done, of how many in all.
    """
    settings, train = rivals.settings, rivals.scans.part("train")
    learned = learn_from_scratch(
        train.pixels,
        train.labels,
        n_classes=len(train.classes),
        recipe=recipe if settings.flip else without_flips(recipe),
        seed=derive_seed(rivals.seed, SCRATCH),
        tell=tell,
    )
    held = Viewed.of(rivals.scans.part("calibrate"), learned.log_odds, flip=settings.flip)
    head = _calibrated(_handing_through(train), held, train, rivals)
    if rivals.aim is not None:
        head = rivals.aim(head, learned.log_odds)
    return rivals.said_by(head, learned.log_odds)


def _handing_through(train: LabelledScans) -> Head:
    """A head for features that are log-odds already: its scores are what it is given."""
    width = 1 if len(train.classes) == 2 else len(train.classes)
    nothing, same = np.zeros(width, np.float32), np.eye(width, dtype=np.float32)
    standardiser = Standardiser(nothing, nothing + 1)
    components = PrincipalComponents(nothing, same)
    return Head("logistic", 1.0, standardiser, components, Linear(same, nothing))


def _calibrated(head: Head, held: Viewed, train: LabelledScans, rivals: Rivals) -> Head:
    scores, decided = held.scores(head), held.decided
    calibration = fit_calibration(
        rivals.settings.calibration,
        scores,
        decided.labels,
        decided.patients.tolist(),
        seed=derive_seed(rivals.seed, SCRATCH),
    )
    head = replace(head, boundary=_boundary(scores, decided.labels, train))
    return head.calibrated(scores, decided.labels, calibration)


def _boundary(scores: Floats, labels: Ints, train: LabelledScans) -> float:
    """Where two classes part: looked for in calibrate where few patients were learned from."""
    groups = patient_groups(train.patients.tolist())
    few = Learned(scores, train.labels, groups).rarest < TRUSTED
    if not few or scores.shape[1] != 1 or len(np.unique(labels)) < 2:
        return 0.0
    return boundary_of(scores[:, 0].astype(np.float64), labels)
