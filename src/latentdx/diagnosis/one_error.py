"""The one-standard-error rule for candidates that were judged on the same scans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Name = TypeVar("Name", bound=str)


def first_within_one_error(losses: Mapping[Name, Floats], groups: Ints) -> Name:
    """The first candidate whose loss is within one standard error of the best one's.

    `losses` are those of each scan (N,) by name, the preferred first; `groups` (N,) are numbers of
    the patients, from 0. The error is that of the mean difference from the best.

    Examples
    --------
    >>> groups = np.arange(4)
    >>> losses = {"plain": np.array([1.0, 2, 3, 2]), "rich": np.array([0.5, 2.5, 2.9, 2])}
    >>> first_within_one_error(losses, groups)
    'plain'
    >>> first_within_one_error({**losses, "best": losses["plain"] - 1}, groups)
    'best'
    """
    best = min(losses, key=lambda name: float(losses[name].mean()))
    for name, loss in losses.items():
        difference = loss - losses[best]
        if difference.mean() <= standard_error(difference, groups):
            return name
    return best


def standard_error(values: Floats, groups: Ints) -> float:
    """Of the mean of values (N,), the scans of a patient counting as one."""
    sums = np.bincount(groups, values - values.mean())
    n_groups = len(sums)
    scale = n_groups / max(1, n_groups - 1)
    return float(np.sqrt(scale * (sums**2).sum()) / len(values))


def log_losses(probabilities: Floats, labels: Ints) -> Floats:
    """-log(probability of the label) of each scan (N,), of probabilities (N, K)."""
    told = probabilities[np.arange(len(labels)), labels]
    found: Floats = -np.log(np.maximum(told, 1e-15))
    return found
