"""Classifiers as arrays: what a bundle holds and a prediction needs; scikit-learn only fits them.

Each has a row a question: one for two classes (the second against the first), else one a class
(against the rest). Its scores are higher the likelier the class, and are no probabilities yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ClassifierName = Literal["svm", "logistic", "knn"]

_BLOCK = 1024


class Machine(Protocol):
    """From features (N, D) to scores (N, Q), Q questions."""

    def scores(self, features: Floats) -> Floats:
        """Scores (N, Q) of features (N, D)."""
        ...


@dataclass(frozen=True)
class RbfSvm:
    """Support vector machine with a Gaussian kernel: sum_m a_m exp(-gamma |x - v_m|^2) + b.

    Cortes & Vapnik, Machine Learning 20, 1995. `vectors` (M, D), `coefficients` (Q, M),
    `intercepts` (Q,), `gamma` ().
    """

    vectors: Floats
    coefficients: Floats
    intercepts: Floats
    gamma: Floats

    def scores(self, features: Floats) -> Floats:
        """Signed distances in the kernel's space, (N, Q)."""
        blocks = [
            self._kernel(features[start : start + _BLOCK]) @ self.coefficients.T
            for start in range(0, len(features), _BLOCK)
        ]
        found: Floats = np.concatenate(blocks) + self.intercepts
        return found

    def _kernel(self, features: Floats) -> Floats:
        squared = (
            (features**2).sum(axis=1)[:, None]
            + (self.vectors**2).sum(axis=1)
            - 2 * features @ self.vectors.T
        )
        kernel: Floats = np.exp(-self.gamma * np.maximum(squared, 0))
        return kernel


@dataclass(frozen=True)
class Logistic:
    """Linear log-odds: `weights` (Q, D), `intercepts` (Q,)."""

    weights: Floats
    intercepts: Floats

    def scores(self, features: Floats) -> Floats:
        """Log-odds (N, Q)."""
        found: Floats = features @ self.weights.T + self.intercepts
        return found


@dataclass(frozen=True)
class Neighbours:
    """The share of each class among the k nearest training scans, weighted by class and distance.

    Cover & Hart, IEEE Transactions on Information Theory 13, 1967. `vectors` (M, D), `votes`
    (Q, M) in -w..w, `k` ().
    """

    vectors: Floats
    votes: Floats
    k: NDArray[np.int64]

    def scores(self, features: Floats) -> Floats:
        """Weighted votes in -1..1, (N, Q)."""
        blocks = [
            self._block(features[start : start + _BLOCK])
            for start in range(0, len(features), _BLOCK)
        ]
        return np.concatenate(blocks)

    def _block(self, features: Floats) -> Floats:
        squared = (self.vectors**2).sum(axis=1) - 2 * features @ self.vectors.T
        squared += (features**2).sum(axis=1)[:, None]
        k = min(int(self.k), len(self.vectors))
        nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
        distance = np.sqrt(np.maximum(np.take_along_axis(squared, nearest, axis=1), 0))
        weight = 1 / (distance + distance.mean(axis=1, keepdims=True) + 1e-6)
        votes = self.votes[:, nearest]  # (Q, N, k)
        total = (weight * np.abs(votes)).sum(axis=2)
        found: Floats = ((weight * votes).sum(axis=2) / total).T.astype(np.float32)
        return found


MACHINES: dict[ClassifierName, type[RbfSvm] | type[Logistic] | type[Neighbours]] = {
    "svm": RbfSvm,
    "logistic": Logistic,
    "knn": Neighbours,
}
assert set(MACHINES) == set(get_args(ClassifierName))


def to_arrays(item: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a machine, a standardiser or components, by field."""
    return {field.name: np.asarray(getattr(item, field.name)) for field in fields(item)}


def machine_from(name: ClassifierName, arrays: Mapping[str, NDArray[Any]]) -> Machine:
    """Undo `to_arrays` for a machine. Raises KeyError where an array is missing."""
    kind = MACHINES[name]
    return kind(**{field.name: arrays[field.name] for field in fields(kind)})
