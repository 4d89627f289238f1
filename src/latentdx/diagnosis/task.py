"""What a classifier is fitted on, and how its classes come to weigh the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.diagnosis.machine import Floats, Ints, Machine


@dataclass(frozen=True)
class Task:
    """Features (N, D), labels int (N,) in 0..n_classes-1, and numbers of the patients, (N,).

    `ordered`: the classes are grades, in their order.
    """

    features: Floats
    labels: Ints
    n_classes: int
    groups: Ints
    ordered: bool = False

    def questions(self) -> list[Ints]:
        """0/1 targets (N,), one array a question: class 1, or of more than two each class.

        Of ordered classes: beyond grade 0, beyond grade 1, ..., K - 1 questions.
        """
        if self.ordered:
            return [(self.labels > k).astype(np.int64) for k in range(self.n_classes - 1)]
        asked = [1] if self.n_classes == 2 else range(self.n_classes)
        return [(self.labels == k).astype(np.int64) for k in asked]

    def weights(self) -> NDArray[np.float64]:
        """Weights (N,) whose sum is N, and the same for every class."""
        counts = np.bincount(self.labels, minlength=self.n_classes)
        found: NDArray[np.float64] = (len(self.labels) / (self.n_classes * counts))[self.labels]
        return found

    def take(self, rows: Ints) -> Task:
        """Some rows."""
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
        )

    def check(self) -> None:
        """Raises `StopError` ``E_ONE_CLASS`` where a class has no row."""
        counts = np.bincount(self.labels, minlength=self.n_classes)
        if len(counts) > self.n_classes or not counts.all():
            found = "the training part lacks a class"
            raise StopError("E_ONE_CLASS", found, fix="add labelled scans of every class")


Fit: TypeAlias = Callable[[Task, float], Machine]


def kernel_width(features: Floats) -> float:
    """gamma of a Gaussian kernel: 1 / (D times the variance of all numbers), as SVMs have it.

    Summed by blocks: no copy of features (N, D) is made.

    Examples
    --------
    >>> kernel_width(np.array([[-1, 1], [1, -1]], np.float32))
    0.5
    """
    total = squares = 0.0
    for start in range(0, len(features), 65_536):
        block = features[start : start + 65_536]
        total += float(block.sum(dtype=np.float64))
        squares += float(np.square(block).sum(dtype=np.float64))
    variance = squares / features.size - (total / features.size) ** 2
    return 1 / (int(features.shape[1]) * max(float(variance), 1e-9))
