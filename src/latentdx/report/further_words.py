"""Titles and notes of what is told of the model alone, for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.metrics.further import further_names
from latentdx.report.card import field_of, known_number

_AT = "{} at {} % {}"
FURTHER_TITLES: Mapping[str, str] = {
    **{
        f"sensitivity_at_specificity_{goal}": _AT.format("Sensitivity", goal, "specificity")
        for goal in (80, 90, 95)
    },
    **{
        f"specificity_at_sensitivity_{goal}": _AT.format("Specificity", goal, "sensitivity")
        for goal in (80, 90, 95)
    },
    "matthews": "Matthews correlation",
    "balanced_brier": "Brier score, classes weighted alike",
    "ece_debiased": "Calibration error, debiased (root mean square)",
    "ppv_at_prevalence": "Positive predictive value at a prevalence of {}",
    "npv_at_prevalence": "Negative predictive value at a prevalence of {}",
    "calibration_slope": "Calibration slope, 1 is best",
    "calibration_intercept": "Calibration intercept, log odds, 0 is best",
    "calibration_in_the_large": "Calibration in the large, log odds, 0 is best",
}


def further_titles(metrics: Any) -> dict[str, str]:
    """The titles of those that ``metrics.json`` has, by name, in their order.

    Examples
    --------
    >>> further_titles({"test": {"matthews": {}}})
    {'matthews': 'Matthews correlation'}
    """
    share = known_number(field_of(metrics, "prevalence", "value"))
    told = "that of these scans" if share is None else f"{100 * share:.3g} %"
    return {
        name: FURTHER_TITLES[name].format(told)
        for name in further_names(2)
        if field_of(metrics, "test", name) is not None
    }
