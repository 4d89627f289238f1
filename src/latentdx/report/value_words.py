"""Words on models of numbers, for the page and the card."""

from __future__ import annotations

import math
from collections.abc import Mapping

from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.report.card import LIMITS, number
from latentdx.report.decided import what_is_read

METRIC_NAMES: Mapping[str, str] = {
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "r2": "Explained variance (R2)",
    "pearson": "Correlation (Pearson)",
    "spearman": "Correlation of ranks (Spearman)",
}
VALUE_LIMITS = (
    LIMITS[0],
    "The numbers hold for scans like the test scans: the same scanners, protocols and population, "
    "and values as spread as theirs. Elsewhere they can be far worse; evaluate on your own scans "
    "first.",
    "Correlations and explained variance depend on how widely the values are spread, absolute "
    "errors do not.",
    "Predictions are drawn towards the middle: great values are predicted too low, small ones too "
    "high, the more so the weaker the correlation.",
    *LIMITS[3:],
)
_IN_UNITS = ("mae", "rmse")

OF_VALUES = "the mean of their predictions, against the mean of their values"
"""How numbers of several scans are joined."""


def with_unit(title: str, name: str, units: str) -> str:
    """A metric's title, with the unit where it has one.

    Examples
    --------
    >>> with_unit("Mean absolute error", "mae", "years")
    'Mean absolute error, years'
    """
    return f"{title}, {units}" if units and name in _IN_UNITS else title


def how_it_predicts(model: RegressionModel) -> tuple[str, ...]:
    """Covariates, cases, machine and intervals, a sentence each."""
    rule, unit = model.sets, f" {model.units}" if model.units else ""
    share = f"{100 * rule.coverage:g} %"
    machine = (
        *what_is_read(model.covariates, model.decide_by, OF_VALUES),
        f"The machine is {model.head.name}, fitted on standardised values.",
    )
    if not math.isfinite(rule.half_width):
        found = f"{rule.n_patients} patients of tune and calibrate are too few for an interval that"
        return (*machine, f"{found} holds {share} of values: none is promised.")
    return (
        *machine,
        f"Intervals reach {number(rule.half_width)}{unit} to both sides, made to hold the value "
        f"for {share} of patients to come, by {rule.n_patients} patients of tune and calibrate.",
    )
