"""Fitting machines that are one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentdx.diagnosis.machines_linear import Linear
from latentdx.diagnosis.task import Task


def fit_logistic(task: Task, strength: float) -> Linear:
    """Logistic regression; `strength` is C."""
    from sklearn.linear_model import LogisticRegression

    return _joined(
        [
            LogisticRegression(C=strength, class_weight="balanced", max_iter=2000).fit(
                task.features, target
            )
            for target in task.questions()
        ]
    )


def fit_linear_svm(task: Task, strength: float) -> Linear:
    """Linear support vector machine, squared hinge loss; `strength` is C.

    Fan et al., "LIBLINEAR", JMLR 9, 2008: in the primal, by a trust region method without chance.
    """
    from sklearn.svm import LinearSVC

    return _joined(
        [
            LinearSVC(C=strength, class_weight="balanced", dual=False, max_iter=2000).fit(
                task.features, target
            )
            for target in task.questions()
        ]
    )


def fit_prototypes(task: Task, strength: float) -> Linear:
    """The nearest class mean, by distances that the classes' common covariance sets.

    The covariance is drawn to a multiple of the identity by `strength` (1: plain distances; 0:
    Fisher's discriminant, Annals of Eugenics 7, 1936). Friedman, "Regularized discriminant
    analysis", JASA 84, 1989. The score is the class's discriminant less the mean of the others'.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    alike = np.full(task.n_classes, 1 / task.n_classes)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=strength, priors=alike)
    model.fit(task.features.astype(np.float64), task.labels)
    weights, intercepts = model.coef_, model.intercept_
    if task.n_classes > 2:
        share = task.n_classes / (task.n_classes - 1)
        weights = share * (weights - weights.mean(axis=0))
        intercepts = share * (intercepts - intercepts.mean())
    return Linear(weights.astype(np.float32), intercepts.astype(np.float32))


def _joined(models: list[Any]) -> Linear:
    weights = np.concatenate([model.coef_ for model in models]).astype(np.float32)
    intercepts = np.concatenate([model.intercept_ for model in models]).astype(np.float32)
    return Linear(weights, intercepts)
