"""Probabilities and decisions of a machine by itself: of baselines and controls, not of a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.calibration_cumulative import median_class
from latentdx.diagnosis.classifiers import sigmoid_for
from latentdx.diagnosis.machine import Floats, Ints


def answered(
    known: Floats, labels: Ints, asked: Floats, ordered: bool = False
) -> tuple[NDArray[np.float64], Ints]:
    """Probabilities (N, K) and decisions (N,) for the scores `asked` (N, Q).

    Calibrated by a sigmoid on the scores `known` (M, Q) with `labels` (M,). Of two classes the
    second is decided from score 0, of more the one of the highest score, of grades the median.

    Examples
    --------
    >>> scores = np.array([[-1.0], [1.0]], np.float32)
    >>> answered(scores, np.array([0, 1]), scores)[1].tolist()
    [0, 1]
    """
    table = sigmoid_for(known, labels, ordered=ordered).probabilities(asked)
    if ordered:
        return table, median_class(table)
    if asked.shape[1] == 1:
        return table, (asked[:, 0] >= 0).astype(np.int64)
    return table, asked.argmax(axis=1)
