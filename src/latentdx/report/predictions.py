"""`Predictions`: what one model, baseline or control says of the test part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import N_RESAMPLES, paired_difference
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.grades import quadratic_kappa
from latentdx.metrics.summary import summarise


@dataclass(frozen=True)
class Predictions:
    """Of N test scans: `labels` (N,), `patients` (N,), `probabilities` (N, K), `decisions` (N,).

    `ordered`: the classes are grades.
    """

    labels: NDArray[np.int64]
    patients: NDArray[np.str_]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.int64]
    ordered: bool = False

    def metrics(self, seed: int, n_resamples: int = N_RESAMPLES) -> dict[str, Estimate]:
        """All metrics, over the same resamples of patients for every model of a run."""
        return summarise(
            self.labels,
            self.probabilities,
            self.decisions,
            self.patients,
            generator=numpy_generator(seed, "bootstrap"),
            n_resamples=n_resamples,
            ordered=self.ordered,
        )

    def auroc_over(self, other: Predictions, seed: int) -> Estimate:
        """This AUROC minus the other's on the same scans, with its interval."""
        first, second = self._ranking(), other._ranking()
        return paired_difference(
            auroc,
            self.labels,
            first,
            second,
            self.patients,
            generator=numpy_generator(seed, "bootstrap"),
        )

    def kappa_over(self, other: Predictions, seed: int) -> Estimate:
        """This quadratic weighted kappa minus the other's, likewise."""
        return paired_difference(
            quadratic_kappa,
            self.labels,
            self.decisions,
            other.decisions,
            self.patients,
            generator=numpy_generator(seed, "bootstrap"),
        )

    def _ranking(self) -> NDArray[np.float64]:
        binary = self.probabilities.shape[1] == 2
        return self.probabilities[:, 1] if binary else self.probabilities


def as_json(metrics: Mapping[str, Estimate]) -> dict[str, Any]:
    """Estimates by name as plain numbers."""
    return {name: estimate.as_json() for name, estimate in metrics.items()}
