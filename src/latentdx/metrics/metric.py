"""What every metric here is: a function of labels and predictions, weighted many times at once.

A bootstrap asks for the same metric on thousands of resamples. A resample is a row of integer
weights (how often each scan was drawn), so every metric takes weights (B, N) and returns (B,).
The body of a metric is written for that case only; `metric` adds the checks and the plain case.
Undefined is NaN (a class is missing, nothing was decided positive), never an error or a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeAlias, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.errors import StopError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Body: TypeAlias = Callable[[Ints, NDArray[Any], Floats], Floats]


class Metric(Protocol):
    """A metric of labels (N,) and predictions (N,) or (N, K).

    Without weights it returns a float; with weights (B, N) it returns B values, each equal to
    the metric of the scans repeated as that row says. Undefined values are NaN.
    """

    @overload
    def __call__(
        self, labels: ArrayLike, predicted: ArrayLike, *, weights: None = None
    ) -> float: ...

    @overload
    def __call__(
        self, labels: ArrayLike, predicted: ArrayLike, *, weights: NDArray[Any]
    ) -> Floats: ...


def metric(body: Body) -> Metric:
    """Make a `Metric` of a body that takes labels, predictions and weights (B, N)."""

    @wraps(body)
    def checked(
        labels: ArrayLike, predicted: ArrayLike, *, weights: NDArray[Any] | None = None
    ) -> float | Floats:
        truth, guess = check_labels(labels), np.asarray(predicted)
        if guess.shape[:1] != truth.shape or guess.ndim > 2 or guess.shape[1:] in {(0,), (1,)}:
            expected = f"({len(truth)},) or ({len(truth)}, K) with K >= 2"
            raise length_error("predictions", guess.shape, expected)
        values = body(truth, guess, as_rows(weights, len(truth)))
        return float(values[0]) if weights is None else values

    return cast(Metric, checked)


def check_labels(labels: ArrayLike) -> Ints:
    """Labels as int64 (N,); raises ``StopError`` E_LABELS unless they are whole and >= 0."""
    given = np.asarray(labels)
    whole = given.astype(np.int64) if given.dtype.kind in "biu" or not given.size else None
    if whole is None or whole.ndim != 1 or (whole < 0).any():
        found = f"labels of type {given.dtype} and shape {given.shape}"
        raise StopError("E_LABELS", found, fix="give class indices 0..K-1 as integers (N,)")
    return whole


def check_classes(labels: Ints, n_classes: int) -> None:
    """Raise ``StopError`` E_LABELS where a label names a class that has no column."""
    if labels.size and labels.max() >= n_classes:
        found = f"label {labels.max()} among {n_classes} classes"
        raise StopError("E_LABELS", found, fix="give one column of scores for each class")


def as_rows(weights: NDArray[Any] | None, n_scans: int) -> Floats:
    """Weights as float64 (B, N): exact for counts below 2^53, and what BLAS multiplies fast."""
    if weights is None:
        return np.ones((1, n_scans))
    if weights.ndim != 2 or weights.shape[1] != n_scans:
        raise length_error("weights", weights.shape, f"(B, {n_scans})")
    return np.asarray(weights, dtype=np.float64)


def ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, NaN (undefined) where ``below`` is 0."""
    quotient = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def sum_by_group(values: Floats, groups: Ints, n_groups: int, weights: Floats) -> Floats:
    """Weighted sums of ``values`` (N,) within each group, (B, n_groups), from weights (B, N)."""
    spread = np.zeros((len(groups), n_groups))
    spread[np.arange(len(groups)), groups] = values
    sums: Floats = weights @ spread
    return sums


def length_error(what: str, found: tuple[int, ...], expected: str) -> StopError:
    """The error for arrays that do not lie scan by scan next to the labels."""
    text = f"{what} of shape {found} where {expected} was expected"
    return StopError("E_LENGTHS", text, fix="give one entry for each label, in the same order")
