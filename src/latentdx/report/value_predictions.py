"""`ValuePredictions`: what one model, baseline or control says of the test part, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import N_RESAMPLES
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.values import error_difference, mean_absolute_error, summarise_values
from latentdx.report.card import number
from latentdx.report.verdict import RIVALS, WITHOUT, judgement

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ValuePredictions:
    """Of N test scans: `values` (N,), `predicted` (N,), `patients` (N,)."""

    values: Values
    predicted: Values
    patients: NDArray[np.str_]

    def metrics(self, seed: int, n_resamples: int = N_RESAMPLES) -> dict[str, Estimate]:
        """All metrics, over the same resamples of patients for every model of a run."""
        return summarise_values(
            self.values,
            self.predicted,
            self.patients,
            generator=numpy_generator(seed, "bootstrap"),
            n_resamples=n_resamples,
        )

    def lead_over(self, other: ValuePredictions, seed: int) -> Estimate:
        """The other's mean absolute error less this one's, on the same scans and resamples."""
        return error_difference(
            self.values,
            other.predicted,
            self.predicted,
            self.patients,
            generator=numpy_generator(seed, "bootstrap"),
        )

    @property
    def errors(self) -> Values:
        """(N,), how far predictions are from values."""
        found: Values = np.abs(self.predicted - self.values)
        return found

    def counts(self) -> list[int]:
        """Numbers are no labels to be counted."""
        return []

    @property
    def judged_by(self) -> tuple[str, str]:
        """The metric by which models are compared, and its name in words."""
        return "mae", "mean absolute error"

    @property
    def group_metric(self) -> str:
        """The metric by which groups of scans are compared."""
        return "mae"

    def compared(self, weights: Values) -> Values:
        """The mean absolute error (B,) from weights (B, N)."""
        return mean_absolute_error(self.values, self.predicted, weights)

    def take(self, rows: NDArray[Any]) -> ValuePredictions:
        """The scans at these numbers, or where a mask is True."""
        return ValuePredictions(self.values[rows], self.predicted[rows], self.patients[rows])


def value_verdict(
    model: ValuePredictions,
    rivals: Mapping[str, ValuePredictions],
    seed: int,
    units: str = "",
    counted: str = "scans",
) -> str:
    """Was the autoencoder worth it? One sentence, by the paired difference of absolute errors."""
    errors = {name: _error(rival) for name, rival in rivals.items() if name != WITHOUT}
    best = min(errors, key=lambda name: errors[name])
    lead = model.lead_over(rivals[best], seed)
    unit = f" {units}" if units else ""
    head = (
        f"the strongest baseline is {RIVALS[best]} (mean absolute error {number(errors[best])}"
        f"{unit}, against {number(_error(model))}{unit})"
    )
    if lead.value is None or lead.low is None or lead.high is None:
        return f"{judgement(lead)}: {head}; too few patients for an interval of the difference."
    ends = f"95 % interval {_signed(-lead.high)} to {_signed(-lead.low)}"
    counts = f"{lead.n_scans} {counted} of {lead.n_patients} patients"
    difference = f"the difference is {_signed(-lead.value)} ({ends}, {counts})"
    return f"{judgement(lead)}: {head}; {difference}."


def _error(predictions: ValuePredictions) -> float:
    return float(predictions.errors.mean())


def _signed(value: float) -> str:
    return ("-" if value < 0 else "+") + number(abs(value))
