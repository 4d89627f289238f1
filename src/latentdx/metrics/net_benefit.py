"""What is a model worth to who acts on it? Net benefit and decision curves, for two classes.

Who would treat from a probability of ``t`` holds a missed disease for ``(1 - t) / t`` times as bad
as a needless treatment. The net benefit counts true positives, less false ones by that exchange,
per scan: ``TP / n - FP / n * t / (1 - t)`` (Vickers and Elkin, Medical Decision Making 26, 2006).
A model is worth something at ``t`` where it lies above both treating all and treating none (0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.bootstrap import N_RESAMPLES, Patients, bootstrap
from latentdx.metrics.calibration import check_probabilities
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.metric import Floats, Ints, as_rows, check_labels, ratio, sum_by_group

THRESHOLDS = (0.01, 0.02, 0.03, 0.05, 0.07, *(step / 20 for step in range(2, 20)))
"""Probabilities from which one might treat; closer together where treating is cheap."""


def net_benefits(
    labels: Ints, probabilities: Floats, weights: Floats, thresholds: Sequence[float] = THRESHOLDS
) -> Floats:
    """(B, T, 2): the model's net benefit at each threshold, and that of treating all.

    A scan is treated where its probability (N,) of class 1 is at least the threshold; thresholds
    rise, and lie between 0 and 1. NaN without scans.

    Examples
    --------
    >>> labels, told = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.8])
    >>> net_benefits(labels, told, np.ones((1, 4)), [0.5]).tolist()
    [[[0.0, 0.0]]]
    >>> net_benefits(labels, told, np.ones((1, 4)), [0.2]).tolist()
    [[[0.4375, 0.375]]]
    """
    limits = np.asarray(thresholds, np.float64)
    # Group k: treated at the first k thresholds and not beyond.
    groups = np.searchsorted(limits, probabilities, "right")
    sums = [
        sum_by_group((labels == own).astype(np.float64), groups, len(limits) + 1, weights)
        for own in (1, 0)
    ]
    treated = [each[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:] for each in sums]
    exchange, total = limits / (1 - limits), weights.sum(axis=1, keepdims=True)
    model = treated[0] - treated[1] * exchange
    everybody = [each.sum(axis=1, keepdims=True) for each in sums]
    found: Floats = np.stack(
        [ratio(each, total) for each in (model, everybody[0] - everybody[1] * exchange)], axis=2
    )
    return found


def decision_curve(
    labels: Any,
    probabilities: Any,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> list[tuple[float, Estimate, Estimate, Estimate]]:
    """At each of `THRESHOLDS` the net benefit of the model, of treating all, and of the better.

    Labels are int (N,) in 0..1, `probabilities` (N,) of class 1 or (N, 2). The last estimate is
    the model's net benefit less that of the better of treating all and none, on the same resamples:
    above 0 the model is worth something there. Raises `StopError`: E_LABELS, E_PROBABILITIES,
    E_PATIENT.

    Examples
    --------
    >>> told = [0.1, 0.6, 0.4, 0.8]
    >>> curve = decision_curve([0, 0, 1, 1], told, "abcd", generator=np.random.default_rng(0))
    >>> [(at, model.value) for at, model, _, _ in curve if at in (0.2, 0.5)]
    [(0.2, 0.4375), (0.5, 0.0)]
    """
    truth = check_labels(labels)
    stated = check_probabilities(truth, np.asarray(probabilities))[:, 1]

    def statistic(drawn: NDArray[Any]) -> Floats:
        both = net_benefits(truth, stated, as_rows(drawn, len(truth)))
        model, everybody = both[..., 0], both[..., 1]
        gain = model - np.maximum(everybody, 0)
        return np.concatenate([model, everybody, gain], axis=1)

    found = bootstrap(statistic, patients, generator=generator, n_resamples=n_resamples)
    count = len(THRESHOLDS)
    parts = (found[start : start + count] for start in range(0, 3 * count, count))
    return list(zip(THRESHOLDS, *parts, strict=True))
