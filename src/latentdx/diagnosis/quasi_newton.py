"""L-BFGS for losses that cost a pass over many rows: no search along a line, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]


def minimised(
    loss: Callable[[Table], tuple[Table, Table]],
    starts: Table,
    curvatures: Sequence[Any],
    *,
    passes: int,
    enough: float,
) -> Table:
    """Where Q losses are least, (P, Q).

    Liu & Nocedal, Mathematical Programming 45, 1989. A step has length 1, and is halved where the
    loss grew: close to the minimum, with a good curvature, that hardly happens.

    Parameters
    ----------
    loss: of places (P, Q) the losses (Q,) and gradients (P, Q).
    starts: first places (P, Q).
    curvatures: Q Cholesky factors, as of `scipy.linalg.cho_factor`, for the first steps.
    passes: calls of `loss` at most.
    enough: relative gain below which the search ends.
    """
    places = starts.copy()
    values, gradients = loss(places)
    memories: list[list[tuple[Table, Table]]] = [[] for _ in curvatures]
    steps = _steps(gradients, memories, curvatures)
    for _ in range(passes - 1):
        after, slopes = loss(places + steps)
        better = after <= values
        gain = np.where(better, values - after, np.inf)
        for q in np.flatnonzero(better):
            memories[q].append((steps[:, q].copy(), slopes[:, q] - gradients[:, q]))
        places = np.where(better, places + steps, places)
        gradients = np.where(better, slopes, gradients)
        values = np.where(better, after, values)
        if (gain <= enough * np.abs(values)).all():
            break
        steps = np.where(better, _steps(gradients, memories, curvatures), steps / 2)
    return places


def _steps(gradients: Table, memories: Any, curvatures: Sequence[Any]) -> Table:
    columns = [
        -_inverse(gradients[:, q], memories[q], factor) for q, factor in enumerate(curvatures)
    ]
    return np.stack(columns, axis=1)


def _inverse(gradient: Table, memory: Sequence[tuple[Table, Table]], factor: Any) -> Table:
    """Curvature^-1 gradient, by the steps remembered (L-BFGS' two loops)."""
    from scipy.linalg import cho_solve

    rest, shares = gradient.copy(), []
    useful = [(step, change) for step, change in memory if step @ change > 0]
    for step, change in reversed(useful):
        share = (step @ rest) / (step @ change)
        shares.append(share)
        rest -= share * change
    found: Table = cho_solve(factor, rest)
    for (step, change), share in zip(useful, reversed(shares), strict=True):
        found += step * (share - (change @ found) / (step @ change))
    return found
