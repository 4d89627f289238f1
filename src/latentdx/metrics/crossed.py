"""Intervals where two things were drawn: the patients that are tested, and the training labels.

A probe is fitted on several draws of few labels, and each fit is tested on the same patients. Its
mean over the draws varies with both, so both are resampled, independently: the pigeonhole
bootstrap (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import Patients, cluster_weights, patient_groups
from latentdx.metrics.estimate import Estimate, defined
from latentdx.metrics.intervals import percentile_interval
from latentdx.metrics.metric import Floats, Metric

N_RESAMPLES = 1000


@dataclass(frozen=True)
class Crossed:
    """A mean over draws with its resamples.

    Attributes
    ----------
    value: on all scans and draws; resampled: (B,), NaN where undefined.
    n_scans, n_patients: what it was computed on.
    """

    value: float
    resampled: Floats
    n_scans: int
    n_patients: int

    def estimate(self) -> Estimate:
        """The value with its 95 % interval; there is none for fewer than two patients."""
        few = self.n_patients < 2
        low, high = (None, None) if few else percentile_interval(self.resampled)
        return Estimate(defined(self.value), low, high, self.n_scans, self.n_patients)

    def minus(self, other: Crossed) -> Estimate:
        """The paired difference: `other` is of the same scans, draws and seed."""
        values, resampled = self.value - other.value, self.resampled - other.resampled
        return Crossed(values, resampled, self.n_scans, self.n_patients).estimate()


def crossed_bootstrap(
    metric: Metric,
    labels: ArrayLike,
    predicted: NDArray[np.float64],
    patients: Patients,
    *,
    draws: NDArray[np.int64],
    seed: int,
) -> Crossed:
    """A metric's mean over fits, resampled over patients and over draws.

    Parameters
    ----------
    labels, patients: (N,) of the tested scans.
    predicted: (R, N) or (R, N, K): what each of R fits says of them.
    draws: (R,) which draw of labels each fit was made from; fits of one draw (with other seeds,
        say) are resampled together.

    Examples
    --------
    >>> from latentdx.metrics.discrimination import auroc
    >>> predicted = np.array([[0.1, 0.4, 0.4, 0.8], [0.2, 0.1, 0.7, 0.9]])
    >>> found = crossed_bootstrap(
    ...     auroc, [0, 0, 1, 1], predicted, "abcd", draws=np.arange(2), seed=0
    ... )
    >>> found.value
    0.9375
    """
    groups, of_draws = patient_groups(patients), patient_groups(draws)
    fits = np.concatenate(
        list(cluster_weights(of_draws, N_RESAMPLES, numpy_generator(seed, "draws")))
    )
    found, start = [], 0
    for weights in cluster_weights(groups, N_RESAMPLES, numpy_generator(seed, "patients")):
        values = np.stack([metric(labels, table, weights=weights) for table in predicted], axis=1)
        chosen = fits[start : start + len(weights)]
        found.append((values * chosen).sum(axis=1) / chosen.sum(axis=1))
        start += len(weights)
    value = float(np.mean([metric(labels, table) for table in predicted]))
    return Crossed(value, np.concatenate(found), len(groups), int(groups.max()) + 1)
