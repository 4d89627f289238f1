"""A user's own scikit-learn classifier in a machine's place: for study in memory only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np

from latentdx.core.errors import StopError
from latentdx.diagnosis.machine import Floats
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.machines_mlp import log_odds
from latentdx.diagnosis.task import Task

Own = Literal["own"]
OWN: Own = "own"


class Estimator(Protocol):
    """A scikit-learn classifier: with `fit`, and `decision_function` or `predict_proba`."""

    def fit(self, X: Any, y: Any) -> Any:  # scikit-learn's names
        """Fit on features (N, D) and labels (N,)."""
        ...

    def get_params(self, deep: bool = ...) -> dict[str, Any]:
        """The settings."""
        ...


Classifier: TypeAlias = ClassifierName | Estimator


@dataclass(frozen=True)
class OwnMachine:
    """A fitted estimator; its classes weigh what its settings make them weigh."""

    estimator: Any

    def scores(self, features: Floats) -> Floats:
        """Decision values, or log-odds where it has only probabilities, (N, Q)."""
        if hasattr(self.estimator, "decision_function"):
            told = np.asarray(self.estimator.decision_function(features))
        else:
            chances = np.clip(self.estimator.predict_proba(features), 1e-6, 1 - 1e-6)
            told = log_odds(np.log(chances).astype(np.float32))
            told = told[:, 1] if told.shape[1] == 2 else told
        found: Floats = told.reshape(len(features), -1).astype(np.float32)
        return found


def fit_own(estimator: Estimator, task: Task) -> OwnMachine:
    """A clone of the estimator, fitted.

    Raises `StopError` ``E_CLASSIFIER`` where it is no classifier of scikit-learn's kind.
    """
    from sklearn.base import clone

    scores = ("decision_function", "predict_proba")
    is_object = hasattr(estimator, "fit") and not isinstance(estimator, type)
    if not is_object or not any(hasattr(estimator, name) for name in scores):
        raise no_classifier(f"a {type(estimator).__name__} is no classifier")
    fitted = clone(estimator).fit(task.features, task.labels)
    machine = OwnMachine(fitted)
    asked = 1 if task.n_classes == 2 else task.n_classes
    if machine.scores(task.features[:1]).shape[1] != asked:
        raise no_classifier(f"a {type(estimator).__name__} has not one score a class")
    return machine


def class_name(name: str) -> ClassifierName:
    """A name, known to tell classes apart. Raises `StopError` ``E_CLASSIFIER``.

    Examples
    --------
    >>> class_name("svm")
    'svm'
    """
    for known in get_args(ClassifierName):
        if name == known:
            found: ClassifierName = known
            return found
    raise no_classifier(f"{name!r} does not tell classes apart")


def no_classifier(found: str) -> StopError:
    """The refusal that names those that there are."""
    known = ", ".join(get_args(ClassifierName))
    return StopError("E_CLASSIFIER", found, fix=f"give one of {known}, which a bundle can hold")
