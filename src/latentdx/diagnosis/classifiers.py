"""Fitting classifiers: every class weighs the same, and tuning keeps patients apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.diagnosis.machines import (
    ClassifierName,
    Floats,
    Logistic,
    Machine,
    Neighbours,
    RbfSvm,
)
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.calibration import log_loss

Ints = NDArray[np.int64]

_TUNING_SCANS = 1500
_FOLDS = 5
_KERNEL_ROWS = 15_000  # 1.8 GB of kernel; beyond, libsvm computes it by row


CHOICES: dict[ClassifierName, tuple[float, ...]] = {
    "svm": (0.1, 0.3, 1.0, 3.0, 10.0),  # C
    "logistic": (1e-3, 1e-2, 1e-1, 1.0),  # C
    "knn": (41, 21, 11, 5),  # neighbours
}
"""Strengths to choose from, the simplest classifier first."""


def fit_classifier(
    name: ClassifierName,
    features: Floats,
    labels: Ints,
    *,
    n_classes: int,
    strength: float,
) -> Machine:
    """Fit one classifier with every class weighing the same.

    Parameters
    ----------
    features: float32 (N, D), standardised; labels: int (N,) in 0..K-1.
    strength: C of the SVM and the logistic regression, k of the neighbours.
    """
    questions = _questions(labels, n_classes)
    fit = _FITS[name]
    return fit(features, questions, strength)


def choose_strength(
    name: ClassifierName, features: Floats, labels: Ints, patients: Sequence[str], *, seed: int
) -> float:
    """The simplest strength whose log-loss is within one standard error of the best.

    Losses are those of patient-grouped cross-validation (at most 1500 scans); scores of held-out
    folds become probabilities by a sigmoid fitted on them, so the choice is by log-loss and not
    by AUROC, which can prefer classifiers that name one class only. One standard error: Breiman
    et al., "Classification and Regression Trees", 1984; it keeps classifiers simple where the
    scans to come may differ. Falls back on the middle where folds cannot be made.
    """
    groups = patient_groups(patients)  # numbers: other pseudonyms give the same folds
    rows = _tuning_rows(groups, seed)
    features, labels, groups = features[rows], labels[rows], groups[rows]
    values = CHOICES[name]
    parts = _patient_folds(labels, groups, seed)
    if not parts:
        return values[len(values) // 2]
    losses = np.stack([_losses(name, value, features, labels, parts) for value in values])
    means = losses.mean(axis=1)
    best = int(means.argmin())
    limit = means[best] + losses[best].std(ddof=1) / np.sqrt(len(parts))
    return values[int(np.flatnonzero(means <= limit)[0])]


def _tuning_rows(groups: NDArray[Any], seed: int) -> Ints:
    """Whole patients until there are enough scans."""
    names = np.unique(groups)
    np.random.default_rng(derive_seed(seed, "tuning")).shuffle(names)
    place = {name: index for index, name in enumerate(names.tolist())}
    order = np.argsort([place[name] for name in groups.tolist()], kind="stable")
    return np.sort(order[:_TUNING_SCANS])


def _patient_folds(labels: Ints, groups: NDArray[Any], seed: int) -> list[tuple[Ints, Ints]]:
    """(rows to fit on, rows held out); none where a class would be missing from what is fitted."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_folds = min(_FOLDS, _groups_of_rarest(labels, groups))
    if n_folds < 2:
        return []
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=derive_seed(seed) % 2**32)
    parts = list(splitter.split(labels, labels, groups))
    n_classes = int(labels.max()) + 1
    whole = all(len(np.unique(labels[rows])) == n_classes and len(out) for rows, out in parts)
    return parts if whole else []


def _groups_of_rarest(labels: Ints, groups: NDArray[Any]) -> int:
    return min(len(np.unique(groups[labels == label])) for label in np.unique(labels))


def _losses(
    name: ClassifierName, value: float, features: Floats, labels: Ints, parts: list[Any]
) -> NDArray[np.float64]:
    """The log-loss of each held-out fold."""
    n_classes = int(labels.max()) + 1
    scores = np.zeros((len(labels), 1 if n_classes == 2 else n_classes), np.float32)
    for train, held_out in parts:
        machine = fit_classifier(
            name, features[train], labels[train], n_classes=n_classes, strength=value
        )
        scores[held_out] = machine.scores(features[held_out])
    table = SigmoidCalibration.fit(scores, labels).probabilities(scores)
    return np.array([log_loss(labels[fold], table[fold]) for _, fold in parts])


def _questions(labels: Ints, n_classes: int) -> list[Ints]:
    """0/1 targets, one row a question. Raises `StopError` ``E_ONE_CLASS``."""
    asked = [1] if n_classes == 2 else range(n_classes)
    targets = [(labels == k).astype(np.int64) for k in asked]
    if any(target.min() == target.max() for target in targets):
        raise StopError(
            "E_ONE_CLASS",
            "the training part lacks a class",
            fix="add labelled scans of every class",
        )
    return targets


def _fit_svm(features: Floats, questions: list[Ints], strength: float) -> RbfSvm:
    from sklearn.svm import SVC

    gamma = 1 / (features.shape[1] * max(float(features.var()), 1e-9))
    is_small = len(features) <= _KERNEL_ROWS
    given = gaussian_kernel(features, gamma) if is_small else features
    columns = np.zeros((len(questions), len(features)), np.float32)
    intercepts = np.zeros(len(questions), np.float32)
    for row, target in enumerate(questions):
        svc = SVC(
            C=strength,
            kernel="precomputed" if is_small else "rbf",
            gamma=gamma,
            class_weight="balanced",
            cache_size=1000,
        )
        svc.fit(given, target)
        columns[row, svc.support_] = svc.dual_coef_[0]
        intercepts[row] = svc.intercept_[0]
    used = np.flatnonzero((columns != 0).any(axis=0))
    return RbfSvm(features[used], columns[:, used], intercepts, np.asarray(gamma, np.float32))


def gaussian_kernel(features: Floats, gamma: float) -> NDArray[np.float64]:
    """exp(-gamma |x_i - x_j|^2), (N, N), of features (N, D), by one matrix product.

    libsvm computes the same entries one row at a time: 2 to 4 times slower for 14,000 rows.
    """
    wide = features.astype(np.float64)
    kernel: NDArray[np.float64] = wide @ wide.T
    squared = kernel.diagonal().copy()
    kernel *= 2
    kernel -= squared
    kernel -= squared[:, None]
    kernel *= gamma
    np.minimum(kernel, 0, out=kernel)
    return np.exp(kernel, out=kernel)


def _fit_logistic(features: Floats, questions: list[Ints], strength: float) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    fitted = [
        LogisticRegression(C=strength, class_weight="balanced", max_iter=2000).fit(features, target)
        for target in questions
    ]
    weights = np.concatenate([model.coef_ for model in fitted]).astype(np.float32)
    intercepts = np.concatenate([model.intercept_ for model in fitted]).astype(np.float32)
    return Logistic(weights, intercepts)


def _fit_neighbours(features: Floats, questions: list[Ints], strength: float) -> Neighbours:
    votes = [
        np.where(target == 1, 0.5 / target.mean(), -0.5 / (1 - target.mean()))
        for target in questions
    ]
    return Neighbours(features, np.stack(votes).astype(np.float32), np.asarray(int(strength)))


_FITS: dict[ClassifierName, Callable[[Floats, list[Ints], float], Machine]] = {
    "svm": _fit_svm,
    "logistic": _fit_logistic,
    "knn": _fit_neighbours,
}
assert set(_FITS) == set(CHOICES)
