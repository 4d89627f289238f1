"""Where two classes part on a classifier's scores, where labels are few.

A machine that was fitted with every class weighing the same parts them at its score 0. With a dozen
scans that fails: nearly all are support vectors at their bound, the intercept is left almost free,
and every new scan may fall on one side. So the boundary is looked for among scores of scans that
the machine has not learned from; score 0 stays where it is within two standard errors of it, and
where a class has `TRUSTED` patients. Figures: ``docs/decisions/0024-few-labels-decide.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Wide = NDArray[np.float64]
Ints = NDArray[np.int64]

TRUSTED = 25
"""Patients of the rarer class with whom score 0 is trusted."""
_ERRORS = 2  # standard errors
_FLATTEST = 0.1  # slope by deviation: where scores say nothing the boundary stays among them


def boundary_of(scores: Wide, labels: Ints) -> float:
    """The score from which class 1 is decided, by scores (N,) of scans not learned from.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 1, 1, 1])
    >>> round(boundary_of(np.array([0.0, 1, 2, 3, 4, 5]) + 7, labels), 3)
    9.5
    >>> boundary_of(np.array([-2.6, -1.4, -0.2, 0.8, 1.4, 2.8]), labels)
    0.0
    """
    found = crossing(scores, labels)
    return found if abs(found) > _ERRORS * _error(scores, labels) else 0.0


def middle(scores: Wide, labels: Ints) -> float:
    """Half way between the mean scores of the two classes.

    Examples
    --------
    >>> middle(np.array([0.0, 2.0, 5.0]), np.array([0, 0, 1]))
    3.0
    """
    return float(scores[labels == 1].mean() + scores[labels == 0].mean()) / 2


def crossing(scores: Wide, labels: Ints) -> float:
    """Where a sigmoid, fitted on scores (N,) with both classes weighing the same, is a half.

    Its targets are smoothed as Platt's are (see `SigmoidCalibration`), of both classes alike, and
    it lies between the mean scores of the two.

    Examples
    --------
    >>> scores = np.array([0.0, 1.0, 2.0, 3.0])
    >>> round(crossing(scores, np.array([0, 0, 1, 1])), 3)
    1.5
    """
    from scipy.optimize import minimize  # fitting only

    counts = np.bincount(labels, minlength=2)
    doubt = 1 / (counts.min() + 2)
    target = np.where(labels == 1, 1 - doubt, doubt)
    weights = 0.5 / counts[labels]
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    scaled = (scores - centre) / spread

    def loss(parameters: Wide) -> tuple[float, Wide]:
        logit = parameters[0] * scaled + parameters[1]
        error = weights * (expit(logit) - target)
        value = (weights * (np.logaddexp(0, logit) - target * logit)).sum()
        return float(value), np.array([(error * scaled).sum(), error.sum()])

    bounds = [(_FLATTEST, 50), (-50, 50)]
    slope, offset = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds).x
    low, high = sorted(float(scores[labels == label].mean()) for label in (0, 1))
    return min(max(centre - spread * float(offset / slope), low), high)


def _error(scores: Wide, labels: Ints) -> float:
    """The standard error of `middle`."""
    parts = [scores[labels == label] for label in (0, 1)]
    return float(np.sqrt(sum(part.var() / len(part) for part in parts)) / 2)
