"""`Reference`: what a model keeps of the scans it was made from, to know later ones by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_PATIENTS = 300
N_COMPONENTS = 10
PIXEL_NAMES = (
    *("quantile 5 %", "quantile 25 %", "median", "quantile 75 %", "quantile 95 %"),
    *("mean", "deviation", "share of black", "share of white", "sharpness", "grain"),
)


@dataclass(frozen=True)
class Reference:
    """One scan of each of R patients who were held out of training, as a few numbers.

    The rows of the kinds are in orders of their own: nothing joins a patient's embedding with a
    covariate. Values of columns are hashes.

    Attributes
    ----------
    pixels: (R, 11), see `pixel_numbers`.
    embeddings: (R, E), the first components of the head's features, which are those of train.
    scores: (R, Q), log-odds, or standardised predictions of numbers; sure: (R, A), the probability
        of each answer that a scan gets (one, of several findings one each, of numbers none);
        right: (R, A), whether it agrees with the label. These three are in one order.
    labels: (R,) in that order, of classes and grades; None of other tasks and of older bundles.
    columns: by name (R,) hashes of values, 0 where not known.
    """

    pixels: Floats
    embeddings: Floats
    scores: Floats
    sure: Floats
    right: NDArray[np.bool_]
    columns: Mapping[str, NDArray[np.uint64]] = field(default_factory=dict)
    labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All of it as named arrays."""
        names = ("pixels", "embeddings", "scores", "sure", "right")
        found: dict[str, NDArray[Any]] = {
            name: np.asarray(getattr(self, name)).astype(np.float32) for name in names
        }
        if self.labels is not None:
            found["labels"] = self.labels
        return found | {f"column:{name}": codes for name, codes in self.columns.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Undo `to_arrays`. Raises `KeyError` or `ValueError` where they do not fit each other."""
        names = ("pixels", "embeddings", "scores", "sure")
        found = {name: arrays[name].astype(np.float64) for name in names}
        start = "column:"
        columns = {
            name.removeprefix(start): codes
            for name, codes in arrays.items()
            if name.startswith(start)
        }
        right = arrays["right"] > 0.5
        labels = arrays.get("labels")
        kept = () if labels is None else (labels,)
        if len({len(rows) for rows in (*found.values(), right, *columns.values(), *kept)}) != 1:
            raise ValueError("the kinds differ in their rows")
        if right.shape != found["sure"].shape or right.ndim != 2:
            raise ValueError("the answers do not fit each other")
        return cls(**found, right=right, columns=columns, labels=labels)


def pixel_numbers(pixels: NDArray[np.float32]) -> Floats:
    """Scans (N, C, *spatial) in 0..1 as (N, 11): grey levels and how sharp they are.

    Examples
    --------
    >>> pixel_numbers(np.zeros((2, 1, 8, 8), np.float32)).shape
    (2, 11)
    """
    flat = pixels.reshape(len(pixels), -1)
    levels = np.quantile(flat, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1).T
    spatial = range(2, pixels.ndim)
    first = [np.diff(pixels, axis=axis) for axis in spatial]
    second = [np.diff(step, axis=axis) for step, axis in zip(first, spatial, strict=True)]
    steps, grain = (
        np.mean([np.abs(each).reshape(len(pixels), -1).mean(axis=1) for each in found], axis=0)
        for found in (first, second)
    )
    more = (flat.mean(axis=1), flat.std(axis=1), (flat < 0.02).mean(axis=1))
    found: Floats = np.column_stack([levels, *more, (flat > 0.98).mean(axis=1), steps, grain])
    return found.astype(np.float64)


def one_each(
    patients: NDArray[np.str_], most: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Rows of one drawn scan of each patient, of at most so many drawn patients."""
    order = generator.permutation(len(patients))
    _, first = np.unique(patients[order], return_index=True)
    rows = order[first]
    return np.sort(generator.permutation(rows)[:most])
