"""Fitting classifiers by name: every class weighs the same, and tuning keeps patients apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.diagnosis.calibration_cumulative import CumulativeCalibration
from latentdx.diagnosis.calibrations import Calibration
from latentdx.diagnosis.fit_gaussian_process import fit_gaussian_process
from latentdx.diagnosis.fit_linear import fit_linear_svm, fit_logistic, fit_prototypes
from latentdx.diagnosis.fit_mlp import fit_mlp
from latentdx.diagnosis.fit_neighbours import fit_neighbours
from latentdx.diagnosis.fit_stacking import fit_stacking
from latentdx.diagnosis.fit_svm import fit_svm
from latentdx.diagnosis.fit_trees import fit_boosting, fit_forest
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.machine import Floats, Ints, Machine
from latentdx.diagnosis.machines import ClassifierName, machine_from, to_arrays
from latentdx.diagnosis.machines_cumulative import fit_cumulative
from latentdx.diagnosis.own_classifier import Classifier, Estimator, fit_own, no_classifier
from latentdx.diagnosis.simplest import FEWEST_TO_CHOOSE, FOLDS, is_better, simplest, tuning_rows
from latentdx.diagnosis.task import Fit, Task
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.calibration import log_loss

CHOICES: dict[ClassifierName, tuple[float, ...]] = {
    "svm": (0.1, 0.3, 1.0, 3.0, 10.0),  # C
    "logistic": (1e-3, 1e-2, 1e-1, 1.0),  # C
    "knn": (41, 21, 11, 5),  # neighbours
    "linear-svm": (1e-4, 1e-3, 1e-2, 1e-1),  # C
    "prototypes": (1.0, 0.9, 0.5, 0.1),  # shrinkage of the covariance
    "boosting": (10, 30, 100),  # trees
    "forest": (2, 4, 8, 12),  # levels
    "mlp": (10.0, 1.0, 0.1, 0.01),  # penalty
    "gaussian-process": (0.3, 1.0, 3.0, 10.0, 30.0),  # variance of the latent function
    "stacking": (0.01, 0.1, 1.0),  # C of the upper logistic
}
"""Strengths to choose from, the simplest classifier first."""

_FITS: dict[ClassifierName, Fit] = {
    "svm": fit_svm,
    "logistic": fit_logistic,
    "knn": fit_neighbours,
    "linear-svm": fit_linear_svm,
    "prototypes": fit_prototypes,
    "boosting": fit_boosting,
    "forest": fit_forest,
    "mlp": fit_mlp,
    "gaussian-process": fit_gaussian_process,
    "stacking": fit_stacking,
}
assert set(_FITS) == set(CHOICES)


def fit_classifier(  # noqa: PLR0913 - what it is fitted on, and how
    name: Classifier,
    features: Floats,
    labels: Ints,
    *,
    n_classes: int,
    strength: float,
    patients: Sequence[str] | None = None,
    ordered: bool = False,
) -> Machine:
    """Fit one classifier with every class weighing the same.

    Parameters
    ----------
    name: of a classifier; or a scikit-learn classifier, of which a clone is fitted as it is.
    features: float32 (N, D), standardised; labels: int (N,) in 0..K-1.
    strength: what `CHOICES` says of the name; a scikit-learn classifier has its own settings.
    patients: of the rows, for `stacking`; without them each row is a patient.
    ordered: the classes are grades: a binary classifier is fitted for each step of their order.

    Raises `StopError`: ``E_ONE_CLASS`` where a class has no row, ``E_TOO_MANY`` where a Gaussian
    process gets more than 1000 rows, ``E_CLASSIFIER`` where there is no such classifier.

    Examples
    --------
    >>> features = np.array([[0, 0], [0, 1], [4, 0], [4, 1]], np.float32)
    >>> labels = np.array([0, 0, 1, 1])
    >>> machine = fit_classifier("prototypes", features, labels, n_classes=2, strength=1.0)
    >>> machine.scores(np.array([[1, 0], [3, 0]], np.float32)).round(3).ravel().tolist()
    [-32.0, 32.0]
    """
    groups = np.arange(len(labels)) if patients is None else patient_groups(patients)
    task = Task(features, labels, n_classes, groups, ordered)
    task.check()
    if not isinstance(name, str):
        return _fitted(partial(_fit_own, name), task, strength)
    if name not in _FITS:
        raise no_classifier(f"there is no classifier {name!r}")
    # in the order of memory in which it will be loaded again: sums then round alike
    arrays = to_arrays(_fitted(_FITS[name], task, strength)).items()
    return machine_from(
        name, {field: np.asarray(each, order="C") for field, each in arrays}, ordered=ordered
    )


def _fitted(fit: Fit, task: Task, strength: float) -> Machine:
    return fit_cumulative(fit, task, strength) if task.ordered else fit(task, strength)


def _fit_own(estimator: Estimator, task: Task, _: float) -> Machine:
    return fit_own(estimator, task)


def choose_strength(
    name: Classifier,
    features: Floats,
    labels: Ints,
    patients: Sequence[str],
    *,
    seed: int,
    ordered: bool = False,
) -> float:
    """The simplest strength whose log-loss is within one standard error of the best: `choose`."""
    return choose(name, [features], labels, patients, seed=seed, ordered=ordered)[1]


def choose(
    name: Classifier,
    candidates: Sequence[Floats],
    labels: Ints,
    patients: Sequence[str],
    *,
    seed: int,
    ordered: bool = False,
) -> tuple[int, float]:
    """Which of several forms of the features (N, D), and with what strength.

    Losses are those of patient-grouped cross-validation (at most 1500 scans); scores of held-out
    folds become probabilities by a sigmoid fitted on them, so the choice is by log-loss and not
    by AUROC, which can prefer classifiers that name one class only. The strength is the simplest
    within one standard error of the best: Breiman et al., "Classification and Regression Trees",
    1984; it keeps classifiers simple where the scans to come may differ. A later form is taken
    only where it is better than those before by more than one standard error of the folds'
    differences, and only with 50 scans or more. Falls back on the first and the middle where
    folds cannot be made. A scikit-learn classifier has its own settings: strength 0.
    """
    if not isinstance(name, str):
        return 0, 0.0
    if name not in CHOICES:
        raise no_classifier(f"there is no classifier {name!r}")
    groups = patient_groups(patients)  # numbers: other pseudonyms give the same folds
    rows = tuning_rows(groups, seed)
    values = CHOICES[name]
    labels, groups = labels[rows], groups[rows]
    several = len(np.unique(labels)) > 1  # `fit_classifier` refuses one class alone
    parts = patient_folds(labels, groups, FOLDS, seed=seed) if several else []
    if not parts:
        return 0, values[len(values) // 2]
    chosen, losses = 0, np.empty(0)
    enough = len(rows) >= FEWEST_TO_CHOOSE
    for index, features in enumerate(candidates if enough else candidates[:1]):
        task = Task(features[rows], labels, int(labels.max()) + 1, groups, ordered)
        found = np.stack([_losses(name, value, task, parts) for value in values])
        if index == 0 or is_better(found, losses):
            chosen, losses = index, found
    return chosen, values[simplest(losses)]


def _losses(
    name: ClassifierName, value: float, task: Task, parts: list[tuple[Ints, Ints]]
) -> NDArray[np.float64]:
    """The log-loss of each held-out fold."""
    scores = np.zeros((len(task.labels), len(task.questions())), np.float32)
    for train, held_out in parts:
        machine = _fitted(_FITS[name], task.take(train), value)
        scores[held_out] = machine.scores(task.features[held_out])
    table = sigmoid_for(scores, task.labels, ordered=task.ordered).probabilities(scores)
    return np.array([log_loss(task.labels[fold], table[fold]) for _, fold in parts])


def sigmoid_for(scores: Floats, labels: Ints, *, ordered: bool) -> Calibration:
    """A sigmoid calibration of scores (N, Q) and labels (N,), of classes or of grades."""
    if ordered:
        return CumulativeCalibration.fit(SigmoidCalibration.fit, scores, labels)
    return SigmoidCalibration.fit(scores, labels)
