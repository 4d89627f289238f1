"""`Predictions`: what one model, baseline or control says of the test part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import N_RESAMPLES, paired_difference
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.further import summarise_further
from latentdx.metrics.grades import quadratic_kappa
from latentdx.metrics.ranks import auroc_difference
from latentdx.metrics.summary import summarise


class Scored(Protocol):
    """What is said of the test part, whatever the task: it can be scored, and compared."""

    @property
    def patients(self) -> NDArray[np.str_]:
        """(N,), by whom intervals are drawn."""

    def metrics(self, seed: int, n_resamples: int = N_RESAMPLES) -> dict[str, Estimate]:
        """All metrics by name."""

    @property
    def judged_by(self) -> tuple[str, str]:
        """The metric by which models are compared, and its name in words."""

    def lead_over(self, other: Self, seed: int) -> Estimate:
        """That metric minus the other's, on the same scans and resamples."""

    def take(self, rows: NDArray[Any]) -> Self:
        """The scans at these numbers, or where a mask is True."""


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

    def further(
        self, seed: int, n_resamples: int = N_RESAMPLES, prevalence: float | None = None
    ) -> dict[str, Estimate]:
        """What is told of a model alone, over those resamples too; see `summarise_further`."""
        return summarise_further(
            self.labels,
            self.probabilities,
            self.decisions,
            self.patients,
            generator=numpy_generator(seed, "bootstrap"),
            n_resamples=n_resamples,
            prevalence=prevalence,
        )

    def auroc_over(self, other: Predictions, seed: int) -> Estimate:
        """This AUROC minus the other's on the same scans, with its interval."""
        generator = numpy_generator(seed, "bootstrap")
        both = self.ranking(), other.ranking()
        return auroc_difference(self.labels, *both, self.patients, generator=generator)

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

    @property
    def judged_by(self) -> tuple[str, str]:
        """The metric by which models are compared, and its name in words."""
        return ("quadratic_kappa", "kappa") if self.ordered else ("auroc", "AUROC")

    def lead_over(self, other: Predictions, seed: int) -> Estimate:
        """That metric minus the other's."""
        return (self.kappa_over if self.ordered else self.auroc_over)(other, seed)

    @property
    def errors(self) -> NDArray[np.float64]:
        """(N,), 1 where a scan was decided wrongly."""
        found: NDArray[np.float64] = (self.decisions != self.labels).astype(np.float64)
        return found

    def counts(self) -> list[int]:
        """How many scans have each label."""
        found: list[int] = np.bincount(self.labels, minlength=self.probabilities.shape[1]).tolist()
        return found

    @property
    def group_metric(self) -> str:
        """The metric by which groups of scans are compared."""
        return "auroc"

    def compared(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The AUROC (B,) from weights (B, N)."""
        return auroc(self.labels, self.ranking(), weights=weights)

    def take(self, rows: NDArray[Any]) -> Predictions:
        """The scans at these numbers, or where a mask is True."""
        names = ("labels", "patients", "probabilities", "decisions")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def ranking(self) -> NDArray[np.float64]:
        """What an AUROC is computed from: (N,) of two classes, (N, K) of more."""
        binary = self.probabilities.shape[1] == 2
        return self.probabilities[:, 1] if binary else self.probabilities


def as_json(metrics: Mapping[str, Estimate]) -> dict[str, Any]:
    """Estimates by name as plain numbers."""
    return {name: estimate.as_json() for name, estimate in metrics.items()}
