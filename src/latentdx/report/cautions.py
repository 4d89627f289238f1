"""What the size of the test part lets nobody know: few patients, wide intervals, no error seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.report.card import METRIC_NAMES, known_number
from latentdx.report.predictions import Predictions

FEWEST, FEW = 10, 20
WIDEST = 0.2
_WATCHED = ("auroc", "sensitivity", "specificity")


def size_warnings(
    predictions: Predictions, classes: Sequence[str], test: Mapping[str, Any]
) -> list[str]:
    """Of a model of classes; `test` are its metrics as in ``metrics.json``."""
    rows = [predictions.labels == k for k in range(len(classes))]
    counts = [_count(predictions.patients[own]) for own in rows]
    found = [
        text
        for name, count in zip(classes, counts, strict=True)
        if (text := few_patients(count, f"of {name!r}"))
    ]
    found += wide_intervals(test)
    found += nothing_misplaced(test)
    for name, count, own in zip(classes, counts, rows, strict=True):
        if count >= FEWEST and (predictions.decisions[own] == predictions.labels[own]).all():
            share = 100 * most_missed(count)
            found.append(
                f"no scan of {name!r} was decided wrongly: with {count} patients up to "
                f"{share:.0f} % could be, and no interval of these scans shows it"
            )
    return found


def few_patients(count: int, of: str = "") -> str:
    """A warning where so few patients were tested, or nothing.

    Examples
    --------
    >>> few_patients(12, "of 'sick'")
    "the test part has only 12 patients of 'sick': its numbers are rough"
    >>> few_patients(20)
    ''
    """
    if count >= FEW:
        return ""
    patients = "1 patient" if count == 1 else f"{count} patients"
    ending = "say next to nothing" if count < FEWEST else "are rough"
    return f"the test part has only {' '.join(filter(None, (patients, of)))}: its numbers {ending}"


def wide_intervals(test: Mapping[str, Any]) -> list[str]:
    """One warning that names the metrics of which the interval is wider than .2."""
    told = []
    for name in _WATCHED:
        low, high = (known_number(test.get(name, {}).get(end)) for end in ("low", "high"))
        if low is not None and high is not None and high - low > WIDEST:
            told.append(f"{METRIC_NAMES[name]} ({low:.2f}–{high:.2f})")
    if not told:
        return []
    verb = "is" if len(told) == 1 else "are"
    return [
        f"wide intervals: {', '.join(told)} {verb} known less exactly than to {WIDEST:g}; more "
        "test patients are needed"
    ]


def nothing_misplaced(test: Mapping[str, Any]) -> list[str]:
    """A warning where every scan was ranked rightly: the interval of that AUROC has no width.

    Examples
    --------
    >>> nothing_misplaced({"auroc": {"value": 0.98, "low": 0.9, "high": 1.0, "n_patients": 16}})
    []
    """
    auroc = test.get("auroc", {})
    if known_number(auroc.get("value")) != 1 or known_number(auroc.get("low")) != 1:
        return []
    return [
        f"the AUROC is 1 and its interval has no width: {auroc['n_patients']} patients cannot show "
        "how far below it may be"
    ]


def most_missed(n_patients: int) -> float:
    """The largest share of errors that n patients without one leave possible, at 95 %.

    1 - .05^(1/n), about 3 / n (Hanley and Lippman-Hand, JAMA 249, 1983).

    Examples
    --------
    >>> round(most_missed(30), 3)
    0.095
    """
    return float(1 - 0.05 ** (1 / n_patients))


def _count(patients: NDArray[np.str_]) -> int:
    return len(np.unique(patients))
