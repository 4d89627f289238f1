"""Fitting a network with one hidden layer."""

from __future__ import annotations

import numpy as np

from latentdx.diagnosis.machines_mlp import Perceptron
from latentdx.diagnosis.task import Task

_UNITS = 64
_BATCH = 200
_STEPS = 600


def fit_mlp(task: Task, strength: float) -> Perceptron:
    """Adam on the weighted log-loss; `strength` is the penalty of the weights' squares.

    A fixed number of passes (at least 15, at least 600 steps but at most 200 passes): stopping
    early would hold out rows of patients that it learns from.
    """
    from sklearn.neural_network import MLPClassifier

    size = min(_BATCH, len(task.labels))
    passes = int(np.clip(-(-_STEPS * size // len(task.labels)), 15, 200))
    model = MLPClassifier(
        (_UNITS,),
        alpha=strength,
        batch_size=size,
        learning_rate_init=2e-3,
        random_state=0,
        # no gain is enough: it ends, without a warning, after so many passes
        tol=1e12,
        n_iter_no_change=passes - 2,
        max_iter=passes + 1,
    )
    model.fit(task.features, task.labels, sample_weight=task.weights())
    assert model.n_iter_ == passes
    hidden, last = (each.astype(np.float32) for each in model.coefs_)
    first, second = (each.astype(np.float32) for each in model.intercepts_)
    return Perceptron(hidden, first, last, second)
