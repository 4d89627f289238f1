"""The machine of grades: a binary machine for each step of the order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.machine import Floats, Machine
from latentdx.diagnosis.task import Fit, Task


@dataclass(frozen=True)
class Cumulative:
    """Is a scan's grade beyond grade k? One binary machine a step, K - 1 of them.

    Frank & Hall, "A simple approach to ordinal classification", ECML 2001. `parts`: the machines
    by the number of their step, "0" to "K-2".
    """

    parts: Mapping[str, Machine]

    def scores(self, features: Floats) -> Floats:
        """Scores (N, K - 1) of features (N, D): column k is higher the likelier beyond k."""
        found = [part.scores(features) for part in self.parts.values()]
        return np.concatenate(found, axis=1)


def fit_cumulative(fit: Fit, task: Task, strength: float) -> Cumulative:
    """Any classifier's `fit` on each step of a task of ordered classes.

    Both sides of a step weigh the same, whatever the number of their scans.
    """
    steps = enumerate(task.questions())
    return Cumulative(
        {str(k): fit(Task(task.features, beyond, 2, task.groups), strength) for k, beyond in steps}
    )


def by_part(arrays: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
    """Arrays named ``0.weights``, by the number of their step, in its order.

    Raises KeyError unless there is each number from 0 on.

    Examples
    --------
    >>> found = by_part({"1.k": np.array(5), "0.k": np.array(3)})
    >>> {step: held["k"].item() for step, held in found.items()}
    {'0': 3, '1': 5}
    """
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        step, _, field = name.partition(".")
        found.setdefault(step, {})[field] = array
    return {str(k): found[str(k)] for k in range(max(1, len(found)))}


def scores_by_class(scores: Floats) -> Floats:
    """Scores of K classes (N, K) of those of K - 1 steps (N, K - 1).

    A class is as likely as the less likely of "beyond the one before" and "not beyond it".

    Examples
    --------
    >>> scores_by_class(np.array([[2.0, -1.0]], np.float32)).tolist()
    [[-2.0, 1.0, -1.0]]
    """
    ends = np.full((len(scores), 1), np.inf, np.float32)
    above, below = np.concatenate([ends, scores], 1), np.concatenate([-scores, ends], 1)
    found: Floats = np.minimum(above, below).astype(np.float32)
    return found
