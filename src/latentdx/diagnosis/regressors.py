"""Machines that predict a number, by name: fitted, held as arrays, their strength chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.diagnosis.fit_trees import fit_forest_of_values
from latentdx.diagnosis.fit_values import (
    Values,
    fit_kernel_ridge,
    fit_neighbour_means,
    fit_ridge,
    fit_value_svm,
)
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.machine import Floats, Ints, Machine
from latentdx.diagnosis.machines import to_arrays
from latentdx.diagnosis.machines_kernel import RbfSvm
from latentdx.diagnosis.machines_linear import Linear
from latentdx.diagnosis.machines_neighbours import NeighbourMeans
from latentdx.diagnosis.machines_trees import Trees
from latentdx.diagnosis.simplest import FEWEST_TO_CHOOSE, FOLDS, is_better, simplest, tuning_rows
from latentdx.metrics.bootstrap import patient_groups

RegressorName = Literal["svm", "ridge", "knn", "forest", "gaussian-process"]
Fit: TypeAlias = Callable[[Floats, Values, float], Machine]

KINDS: dict[RegressorName, type[Any]] = {
    "svm": RbfSvm,
    "ridge": Linear,
    "knn": NeighbourMeans,
    "forest": Trees,
    "gaussian-process": RbfSvm,
}
assert set(KINDS) == set(get_args(RegressorName))

STRENGTHS: dict[RegressorName, tuple[float, ...]] = {
    "svm": (0.1, 0.3, 1.0, 3.0, 10.0),  # C
    "ridge": (10.0, 3.0, 1.0, 0.3, 0.1, 0.03),  # penalty
    "knn": (41, 21, 11, 5),  # neighbours
    "forest": (2, 4, 8, 12),  # levels
    "gaussian-process": (10.0, 3.0, 1.0, 0.3, 0.1),  # variance of the noise
}
"""Strengths to choose from, the simplest machine first."""

_FITS: dict[RegressorName, Fit] = {
    "svm": fit_value_svm,
    "ridge": fit_ridge,
    "knn": fit_neighbour_means,
    "forest": fit_forest_of_values,
    "gaussian-process": fit_kernel_ridge,
}


def regressor_name(name: str) -> RegressorName:
    """A name, known to predict numbers. Raises `StopError` ``E_CLASSIFIER``.

    Examples
    --------
    >>> regressor_name("ridge")
    'ridge'
    """
    if name not in _FITS:
        known = ", ".join(_FITS)
        found = f"{name!r} does not predict numbers"
        raise StopError("E_CLASSIFIER", found, fix=f"give --classifier one of {known}")
    return name


def fit_regressor(
    name: RegressorName, features: Floats, values: Values, strength: float
) -> Machine:
    """Fit one on features float32 (N, D) and standardised values (N,).

    Its scores (N, 1) are predictions of the standardised values. Raises `StopError`
    ``E_TOO_MANY`` where a Gaussian process gets more than 1000 rows.

    Examples
    --------
    >>> features = np.arange(8, dtype=np.float32)[:, None]
    >>> machine = fit_regressor("ridge", features, np.linspace(-1, 1, 8), 1e-6)
    >>> machine.scores(features[:1]).round(3).tolist()
    [[-1.0]]
    """
    # in the order of memory in which it will be loaded again: sums then round alike
    arrays = to_arrays(_FITS[name](features, values, strength)).items()
    return regressor_from(name, {field: np.asarray(each, order="C") for field, each in arrays})


def regressor_from(name: RegressorName, arrays: Mapping[str, NDArray[Any]]) -> Machine:
    """Undo `to_arrays`. Raises KeyError where an array is missing."""
    kind = KINDS[name]
    machine: Machine = kind(**{field.name: arrays[field.name] for field in fields(kind)})
    return machine


def choose_regressor(
    name: RegressorName,
    candidates: Sequence[Floats],
    values: Values,
    patients: Sequence[str],
    *,
    seed: int,
) -> tuple[int, float]:
    """Which of several forms of the features (N, D), and with what strength.

    As `classifiers.choose`, by the squared error of patient-grouped folds.
    """
    groups = patient_groups(patients)  # numbers: other pseudonyms give the same folds
    rows = tuning_rows(groups, seed)
    strengths, values, groups = STRENGTHS[name], values[rows], groups[rows]
    parts = patient_folds(np.zeros(len(rows), np.int64), groups, FOLDS, seed=seed)
    if not parts:
        return 0, strengths[len(strengths) // 2]
    chosen, losses = 0, np.empty(0)
    enough = len(rows) >= FEWEST_TO_CHOOSE
    for index, features in enumerate(candidates if enough else candidates[:1]):
        found = np.stack([_losses(name, each, features[rows], values, parts) for each in strengths])
        if index == 0 or is_better(found, losses):
            chosen, losses = index, found
    return chosen, strengths[simplest(losses)]


def _losses(
    name: RegressorName,
    strength: float,
    features: Floats,
    values: Values,
    parts: list[tuple[Ints, Ints]],
) -> NDArray[np.float64]:
    """The mean squared error of each held-out fold."""
    found = []
    for known, held_out in parts:
        machine = _FITS[name](features[known], values[known], strength)
        error = machine.scores(features[held_out])[:, 0] - values[held_out]
        found.append(float((error**2).mean()))
    return np.array(found)
