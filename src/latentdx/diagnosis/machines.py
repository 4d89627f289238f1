"""Classifiers by name as arrays: what a bundle holds; scikit-learn only fits them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.machine import Machine
from latentdx.diagnosis.machines_cumulative import Cumulative, by_part
from latentdx.diagnosis.machines_kernel import GaussianProcess, RbfSvm
from latentdx.diagnosis.machines_linear import Linear
from latentdx.diagnosis.machines_mlp import Perceptron
from latentdx.diagnosis.machines_neighbours import Neighbours
from latentdx.diagnosis.machines_stacking import Stacked
from latentdx.diagnosis.machines_trees import Trees

ClassifierName = Literal[
    "svm",
    "logistic",
    "knn",
    "linear-svm",
    "prototypes",
    "boosting",
    "forest",
    "mlp",
    "gaussian-process",
    "stacking",
]

MACHINES: dict[ClassifierName, type[Any]] = {
    "svm": RbfSvm,
    "logistic": Linear,
    "knn": Neighbours,
    "linear-svm": Linear,
    "prototypes": Linear,
    "boosting": Trees,
    "forest": Trees,
    "mlp": Perceptron,
    "gaussian-process": GaussianProcess,
    "stacking": Stacked,
}
assert set(MACHINES) == set(get_args(ClassifierName))

STACKED: tuple[ClassifierName, ...] = ("svm", "logistic", "prototypes")
"""What `stacking` is made of."""


def to_arrays(item: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a machine, a standardiser or components, by field.

    Those of a machine's parts have the part's name before theirs: ``svm.vectors``, ``0.vectors``.
    """
    found = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if not isinstance(value, Mapping):
            found[field.name] = np.asarray(value)
            continue
        for part, machine in value.items():
            found.update({f"{part}.{name}": each for name, each in to_arrays(machine).items()})
    return found


def machine_from(
    name: ClassifierName, arrays: Mapping[str, NDArray[Any]], *, ordered: bool = False
) -> Machine:
    """Undo `to_arrays` for a machine, of `ordered` classes for that of each step.

    Raises KeyError where an array is missing.
    """
    if ordered:
        return Cumulative({k: machine_from(name, held) for k, held in by_part(arrays).items()})
    kind = MACHINES[name]
    if kind is Stacked:
        return Stacked(
            {part: _part_from(part, arrays) for part in STACKED},
            arrays["weights"],
            arrays["intercepts"],
        )
    machine: Machine = kind(**{field.name: arrays[field.name] for field in fields(kind)})
    return machine


def _part_from(name: ClassifierName, arrays: Mapping[str, NDArray[Any]]) -> Machine:
    start = f"{name}."
    held = {key.removeprefix(start): each for key, each in arrays.items() if key.startswith(start)}
    return machine_from(name, held)
