"""Metrics where each fold is scored by a model of its own: within folds, and their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.metrics.bootstrap import Statistic
from latentdx.metrics.metric import Floats, Metric, check_labels


@dataclass(frozen=True)
class Spread:
    """A metric's mean over folds, standard deviation, least and greatest value."""

    mean: float
    deviation: float
    least: float
    greatest: float

    def as_json(self) -> dict[str, float]:
        """The four numbers by name."""
        return asdict(self)


def folded(metric: Metric, labels: ArrayLike, predicted: ArrayLike, folds: ArrayLike) -> Statistic:
    """From weights (B, N) to the mean over folds (B, 1) of a metric, each fold by itself.

    Scores of models that were fitted apart need not be on one scale: a metric that ranks scans
    compares here only those that one model has scored (Forman and Scholz, SIGKDD Explorations 12,
    2010). `labels` and `folds` are (N,), `predicted` is (N,) or (N, K). A fold in which the metric
    is undefined is left out, in a resample too.

    Examples
    --------
    >>> from latentdx.metrics.discrimination import auroc
    >>> labels, scores, folds = [0, 1, 0, 1], [0.1, 0.3, 0.6, 0.8], [0, 0, 1, 1]
    >>> folded(auroc, labels, scores, folds)(np.ones((1, 4))).tolist()
    [[1.0]]
    """
    truth, guess, fold = check_labels(labels), np.asarray(predicted), np.asarray(folds)
    rows = [np.flatnonzero(fold == number) for number in np.unique(fold)]

    def statistic(weights: NDArray[Any]) -> Floats:
        values = np.stack([metric(truth[own], guess[own], weights=weights[:, own]) for own in rows])
        known = ~np.isnan(values)
        total, count = np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0)
        found: Floats = np.where(count > 0, total / np.maximum(1, count), np.nan)[:, None]
        return found

    return statistic


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """How far a metric's values differ from fold to fold; None where fewer than two are known.

    Examples
    --------
    >>> spread_of([0.8, 0.9, None, 1.0])
    Spread(mean=0.9, deviation=0.1, least=0.8, greatest=1.0)
    """
    known = np.array([value for value in values if value is not None])
    if len(known) < 2:
        return None
    numbers = (known.mean(), known.std(ddof=1), known.min(), known.max())
    return Spread(*(round(float(number), 12) for number in numbers))
