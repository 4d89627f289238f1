"""`Fold`: what the model of one fold says of the scans that it was tested on; `Folded`: of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import N_RESAMPLES, Statistic, bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.folds import folded
from latentdx.report.predictions import Predictions

WITHIN = "auroc_within_folds"
ADAPTED = "adapted"
"""Among the rivals of a place left out: its model, adapted to the place."""


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation, once its model was made and tested.

    Attributes
    ----------
    number: from 1.
    predictions: of its N test scans; rivals: those of the baselines, by name.
    sets: bool (N, K), the prediction sets.
    facts: what was chosen in it: ``parts`` (scans by part), ``features``, ``strength``,
        ``calibration``, ``threshold``.
    header, rows: of ``predictions.csv`` as its run would have written it.
    scan_ids: of the N test scans.
    """

    number: int
    predictions: Predictions
    sets: NDArray[np.bool_]
    rivals: Mapping[str, Predictions]
    facts: Mapping[str, Any] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    scan_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folded:
    """What models of several folds say, each of its own scans: `predictions`, and `folds` (N,).

    Models are compared by the mean of the folds' AUROCs: the scores of two of them need not be on
    one scale. Grades are by quadratic weighted kappa of all decisions.
    """

    predictions: Predictions
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Sequence[Predictions], numbers: Sequence[int]) -> Folded:
        """Those of all folds, one behind the other."""
        together = Predictions(
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.patients for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.decisions for part in parts]),
            parts[0].ordered,
        )
        sizes = [len(part.labels) for part in parts]
        return cls(together, np.repeat(np.asarray(numbers), sizes))

    @property
    def patients(self) -> NDArray[np.str_]:
        """(N,), by whom intervals are drawn."""
        return self.predictions.patients

    @property
    def judged_by(self) -> tuple[str, str]:
        """The metric by which models are compared, and its name in words."""
        within = (WITHIN, "AUROC within folds")
        return self.predictions.judged_by if self.predictions.ordered else within

    def metrics(self, seed: int, n_resamples: int = N_RESAMPLES) -> dict[str, Estimate]:
        """All metrics of all scans, and ``auroc_within_folds``."""
        generator = numpy_generator(seed, "bootstrap")
        within = bootstrap(
            self._ranked(), self.patients, generator=generator, n_resamples=n_resamples
        )[0]
        return {**self.predictions.metrics(seed, n_resamples), WITHIN: within}

    def lead_over(self, other: Folded, seed: int) -> Estimate:
        """That metric minus the other's, on the same scans and resamples."""
        if self.predictions.ordered:
            return self.predictions.lead_over(other.predictions, seed)
        own, others = self._ranked(), other._ranked()
        generator = numpy_generator(seed, "bootstrap")
        return bootstrap(
            lambda weights: own(weights) - others(weights), self.patients, generator=generator
        )[0]

    def take(self, rows: NDArray[Any]) -> Folded:
        """The scans at these numbers, or where a mask is True."""
        return Folded(self.predictions.take(rows), self.folds[rows])

    def _ranked(self) -> Statistic:
        own = self.predictions
        return folded(auroc, own.labels, own.ranking(), self.folds)
