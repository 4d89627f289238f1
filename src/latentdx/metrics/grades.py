"""How good are decided grades? Agreement and distance where classes have an order.

Grades are class indices 0..K-1 in their order; neighbours are one grade apart.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from latentdx.metrics.decisions import check_decisions
from latentdx.metrics.metric import Floats, Ints, Metric, metric, ratio


@metric
def quadratic_kappa(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Quadratic weighted kappa: 1 is agreement, 0 what chance with the same shares would give.

    A decision d of a scan of grade l counts (d - l)^2 (Cohen, Psychological Bulletin 70, 1968).
    NaN where all labels and all decisions are one grade. Grades are int (N,).

    Examples
    --------
    >>> quadratic_kappa([0, 1, 2, 2], [0, 1, 2, 2]), quadratic_kappa([0, 0, 1, 1], [0, 1, 0, 1])
    (1.0, 0.0)
    >>> round(quadratic_kappa([0, 1, 2, 2], [0, 1, 1, 2]), 4)
    0.8
    """
    label, decided = labels.astype(float), check_decisions(decisions).astype(float)
    total = weights.sum(axis=1)
    squared = weights @ (label - decided) ** 2
    crossed = ratio((weights @ label) * (weights @ decided), total)
    by_chance = weights @ (label**2 + decided**2) - 2 * crossed
    found: Floats = 1 - ratio(squared, by_chance)
    return found


@metric
def grade_error(labels: Ints, decisions: NDArray[Any], weights: Floats) -> Floats:
    """Mean absolute error, in grades. Grades are int (N,).

    Examples
    --------
    >>> grade_error([0, 1, 2, 4], [0, 1, 3, 2])
    0.75
    """
    away = abs(labels - check_decisions(decisions)).astype(float)
    return ratio(weights @ away, weights.sum(axis=1))


FROM_GRADES: dict[str, Metric] = {
    "quadratic_kappa": quadratic_kappa,
    "grade_error": grade_error,
}
"""What is computed beside the other metrics where classes have an order, by name."""
