"""Probabilities of grades from the calibrated answers to "is it beyond grade k?"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.calibrate import Floats, Ints, Scores

if TYPE_CHECKING:
    from latentdx.diagnosis.calibrations import Calibration


@dataclass(frozen=True)
class CumulativeCalibration:
    """A calibration for each step; their answers in falling order; grades by the differences.

    Answers of steps that were fitted apart can cross: P(beyond 2) above P(beyond 1). Sorted they
    are nearer to any true order (Chernozhukov, Fernandez-Val & Galichon, Biometrika 96, 2009).
    `parts`: calibrations of two classes by the number of their step, "0" to "K-2".
    """

    parts: Mapping[str, Calibration]

    @classmethod
    def fit(
        cls, one: Callable[[Scores, Ints], Calibration], scores: Scores, labels: Ints
    ) -> CumulativeCalibration:
        """From scores (N, K - 1) of the steps and grades int (N,); `one` fits that of a step."""
        steps = range(scores.shape[1])
        return cls({str(k): one(scores[:, [k]], (labels > k).astype(np.int64)) for k in steps})

    def probabilities(self, scores: Scores) -> Floats:
        """(N, K - 1) to (N, K), rows that sum to 1."""
        answers = [
            part.probabilities(scores[:, [k]])[:, 1] for k, part in enumerate(self.parts.values())
        ]
        beyond = -np.sort(-np.stack(answers, axis=1), axis=1)
        sure, never = np.ones((len(scores), 1)), np.zeros((len(scores), 1))
        table: Floats = -np.diff(np.concatenate([sure, beyond, never], axis=1), axis=1)
        return table


def median_class(probabilities: Floats) -> Ints:
    """The median grade (N,) of probabilities (N, K): the first that half lies at or below.

    It has the least expected distance in grades.

    Examples
    --------
    >>> median_class(np.array([[0.4, 0.2, 0.4], [0.6, 0.3, 0.1]])).tolist()
    [1, 0]
    """
    reached = probabilities.cumsum(axis=1) >= 0.5 - 1e-12
    found: Ints = reached.argmax(axis=1)
    return found


def without_gaps(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Sets (N, K) of grades, and all between their ends: larger sets hold the label as often.

    Examples
    --------
    >>> without_gaps(np.array([[True, False, True, False]])).tolist()
    [[True, True, True, False]]
    """
    above = np.logical_or.accumulate(inside, axis=1)
    below = np.logical_or.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
    found: NDArray[np.bool_] = above & below
    return found
