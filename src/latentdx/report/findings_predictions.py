"""`FindingPredictions`: what a model, baseline or control says of several findings of each scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import N_RESAMPLES, Statistic, bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.summary import NAMES, raised_in, statistic_of
from latentdx.report.predictions import Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FindingPredictions:
    """The predictions of each finding by name, of the same N scans in the same order."""

    each: Mapping[str, Predictions]

    @property
    def patients(self) -> NDArray[np.str_]:
        """(N,), by whom intervals are drawn."""
        return next(iter(self.each.values())).patients

    @property
    def judged_by(self) -> tuple[str, str]:
        """The metric by which models are compared, and its name in words."""
        return "auroc", "mean AUROC"

    def metrics(self, seed: int, n_resamples: int = N_RESAMPLES) -> dict[str, Estimate]:
        """All metrics, each the mean over findings, undefined where it is for one of them."""
        statistics = self._statistics()

        def mean(weights: NDArray[Any]) -> Floats:
            found: Floats = np.mean([of(weights) for of in statistics], axis=0)
            return found

        found = self._bootstrapped(mean, seed, n_resamples, raised_in(NAMES))
        return dict(zip(NAMES, found, strict=True))

    @property
    def errors(self) -> Floats:
        """(N,), the share of a scan's findings that were decided wrongly."""
        found: Floats = np.mean([item.errors for item in self.each.values()], axis=0)
        return found

    def counts(self) -> list[int]:
        """How many scans have each finding."""
        return [item.counts()[1] for item in self.each.values()]

    @property
    def group_metric(self) -> str:
        """The metric by which groups of scans are compared."""
        return "auroc"

    def compared(self, weights: Floats) -> Floats:
        """The mean AUROC (B,) from weights (B, N)."""
        found: Floats = np.mean([_area(item, weights) for item in self.each.values()], axis=0)
        return found

    def by_finding(
        self, seed: int, n_resamples: int = N_RESAMPLES
    ) -> dict[str, dict[str, Estimate]]:
        """All metrics of each finding, over the same resamples of patients."""
        return {name: item.metrics(seed, n_resamples) for name, item in self.each.items()}

    def lead_over(self, other: FindingPredictions, seed: int) -> Estimate:
        """This mean AUROC minus the other's, on the same scans and resamples."""

        def difference(weights: NDArray[Any]) -> Floats:
            found: Floats = (self.compared(weights) - other.compared(weights))[:, None]
            return found

        return self._bootstrapped(difference, seed, N_RESAMPLES)[0]

    def take(self, rows: NDArray[Any]) -> FindingPredictions:
        """The scans at these numbers, or where a mask is True."""
        return FindingPredictions({name: item.take(rows) for name, item in self.each.items()})

    def _statistics(self) -> list[Statistic]:
        return [
            statistic_of(item.labels, item.probabilities, item.decisions)
            for item in self.each.values()
        ]

    def _bootstrapped(
        self, statistic: Statistic, seed: int, n_resamples: int, raised: tuple[int, ...] = ()
    ) -> list[Estimate]:
        generator = numpy_generator(seed, "bootstrap")
        return bootstrap(
            statistic,
            self.patients,
            generator=generator,
            n_resamples=n_resamples,
            raised=raised,
        )


def _area(item: Predictions, weights: NDArray[Any]) -> Floats:
    found: Floats = auroc(item.labels, item.probabilities[:, 1], weights=weights)
    return found
