"""How good are the decisions? Accuracy, sensitivity, specificity, PPV, NPV, F1.

For two classes, class 1 is the positive one. For more, sensitivity, specificity, PPV, NPV and F1
are macro averages: each class against the rest, then the plain mean over classes. A macro average
is undefined (NaN) where it is undefined for any class: a class without scans has no sensitivity,
a class never decided has no PPV.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.metrics.metric import (
    Floats,
    Ints,
    check_classes,
    check_labels,
    metric,
    ratio,
    sum_by_group,
)


class ClassCounts(NamedTuple):
    """For each resample and class, (B, K): scans decided rightly, of the class, decided so."""

    hits: Floats
    actual: Floats
    decided: Floats


def count_classes(labels: Ints, decisions: Ints, weights: Floats, *, n_classes: int) -> ClassCounts:
    """Count labels and decisions, both int (N,) in 0..K-1, under weights (B, N)."""
    check_classes(labels, n_classes)
    check_classes(decisions, n_classes)
    right = (labels == decisions).astype(np.float64)
    each = np.ones(len(labels))
    return ClassCounts(
        sum_by_group(right, labels, n_classes, weights),
        sum_by_group(each, labels, n_classes, weights),
        sum_by_group(each, decisions, n_classes, weights),
    )


@metric
def accuracy(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Fraction of scans decided rightly. Labels and decisions are int (N,) in 0..K-1.

    Examples
    --------
    >>> accuracy([0, 0, 1, 1], [0, 1, 1, 1])
    0.75
    """
    return _accuracy(_counted(labels, decisions, weights))


@metric
def balanced_accuracy(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Mean over classes of the fraction of each class's scans decided rightly.

    Examples
    --------
    >>> balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0])
    0.5
    """
    return _balanced_accuracy(_counted(labels, decisions, weights))


@metric
def sensitivity(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Fraction of the positive scans decided positive (recall); macro over more than two classes.

    Examples
    --------
    >>> sensitivity([0, 0, 1, 1], [0, 1, 0, 1])
    0.5
    """
    return _sensitivity(_counted(labels, decisions, weights))


@metric
def specificity(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Fraction of the negative scans decided negative; macro over more than two classes.

    Examples
    --------
    >>> specificity([0, 0, 1, 1], [0, 0, 0, 1])
    1.0
    """
    return _specificity(_counted(labels, decisions, weights))


@metric
def ppv(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Fraction of the positive decisions that are right (precision); macro over more classes.

    It holds at the prevalence of these scans only; NaN where nothing was decided positive.

    Examples
    --------
    >>> ppv([0, 0, 1, 1], [0, 1, 0, 1])
    0.5
    """
    return _ppv(_counted(labels, decisions, weights))


@metric
def npv(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Fraction of the negative decisions that are right; macro over more classes. See `ppv`.

    Examples
    --------
    >>> npv([0, 0, 1, 1], [0, 0, 1, 1])
    1.0
    """
    return _npv(_counted(labels, decisions, weights))


@metric
def f1(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Harmonic mean of PPV and sensitivity, 2 TP / (2 TP + FP + FN); macro over more classes.

    NaN where a class has no scans; 0 where a class with scans was never decided.

    Examples
    --------
    >>> f1([0, 0, 1, 1], [0, 1, 1, 1])
    0.8
    """
    return _f1(_counted(labels, decisions, weights))


@metric
def matthews(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Matthews correlation of labels and decisions: 1 is agreement, 0 chance, -1 the reverse.

    (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)) (Matthews, Biochimica et Biophysica
    Acta 405, 1975); for more classes Gorodkin's R_K (Computational Biology and Chemistry 28, 2004).
    NaN where all labels, or all decisions, are one class.

    Examples
    --------
    >>> matthews([0, 0, 1, 1], [0, 1, 1, 1]) == 1 / 3**0.5
    True
    """
    return matthews_of(_counted(labels, decisions, weights))


def matthews_of(counts: ClassCounts) -> Floats:
    """`matthews` from counts."""
    total = counts.actual.sum(axis=1)
    crossed = total * counts.hits.sum(axis=1) - (counts.actual * counts.decided).sum(axis=1)
    spreads = [total**2 - (each**2).sum(axis=1) for each in (counts.actual, counts.decided)]
    return ratio(crossed, np.sqrt(spreads[0] * spreads[1]))


def at_prevalence(counts: ClassCounts, prevalence: float) -> tuple[Floats, Floats]:
    """PPV and NPV, each (B,), where so large a share of scans is positive; two classes.

    By Bayes' rule from sensitivity and specificity, which do not depend on it:
    ``PPV = se p / (se p + (1 - sp)(1 - p))``, ``NPV = sp (1 - p) / (sp (1 - p) + (1 - se) p)``.

    Examples
    --------
    >>> labels, decided = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    >>> counts = count_classes(labels, decided, np.ones((1, 6)), n_classes=2)
    >>> [float(value[0]) for value in at_prevalence(counts, 0.2)]
    [0.5, 1.0]
    """
    found, rejected = _sensitivity(counts), _specificity(counts)
    true, false = found * prevalence, (1 - rejected) * (1 - prevalence)
    cleared, missed = rejected * (1 - prevalence), (1 - found) * prevalence
    return ratio(true, true + false), ratio(cleared, cleared + missed)


def _counted(labels: Ints, decisions: NDArray[Any], weights: Floats) -> ClassCounts:
    decided = check_decisions(decisions)
    n_classes = max(2, 1 + max(labels.max(initial=0), decided.max(initial=0)))
    return count_classes(labels, decided, weights, n_classes=int(n_classes))


def check_decisions(decisions: NDArray[Any]) -> Ints:
    """Decisions as int64 (N,); scores given in their place are refused (E_DECISIONS)."""
    try:
        return check_labels(decisions)
    except StopError as error:
        raise StopError(
            "E_DECISIONS", error.found, fix="give decided classes, not scores"
        ) from None


def _positive_or_macro(by_class: Floats) -> Floats:
    chosen: Floats = by_class[:, 1] if by_class.shape[1] == 2 else by_class.mean(axis=1)
    return chosen


def _accuracy(counts: ClassCounts) -> Floats:
    return ratio(counts.hits.sum(axis=1), counts.actual.sum(axis=1))


def _balanced_accuracy(counts: ClassCounts) -> Floats:
    mean: Floats = ratio(counts.hits, counts.actual).mean(axis=1)
    return mean


def _sensitivity(counts: ClassCounts) -> Floats:
    return _positive_or_macro(ratio(counts.hits, counts.actual))


def _specificity(counts: ClassCounts) -> Floats:
    return _positive_or_macro(ratio(_rejected(counts), _total(counts) - counts.actual))


def _ppv(counts: ClassCounts) -> Floats:
    return _positive_or_macro(ratio(counts.hits, counts.decided))


def _npv(counts: ClassCounts) -> Floats:
    return _positive_or_macro(ratio(_rejected(counts), _total(counts) - counts.decided))


def _f1(counts: ClassCounts) -> Floats:
    by_class = ratio(2 * counts.hits, counts.actual + counts.decided)
    return _positive_or_macro(np.where(counts.actual > 0, by_class, np.nan))


def _total(counts: ClassCounts) -> Floats:
    total: Floats = counts.actual.sum(axis=1, keepdims=True)
    return total


def _rejected(counts: ClassCounts) -> Floats:
    """True negatives of each class: neither of the class nor decided so."""
    others: Floats = _total(counts) - counts.actual - counts.decided + counts.hits
    return others


FROM_COUNTS: dict[str, Callable[[ClassCounts], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "ppv": _ppv,
    "npv": _npv,
    "f1": _f1,
}
