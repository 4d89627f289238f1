"""Prediction intervals of a stated coverage, with patients as the unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.bootstrap import patient_groups

Floats = NDArray[np.float64]


def half_width(
    errors: Floats, patients: Sequence[str] | NDArray[np.str_], coverage: float
) -> float:
    """How far an interval must reach from its prediction, by errors (N,) of scans not learned from.

    Split conformal prediction with the distance as its score (Papadopoulos et al., ECML 2002; Lei
    et al., JASA 2018), for a scan of a patient to come: of P patients each has the mass 1 / (P +
    1), shared by their scans, and what is left is infinitely far (Lee, Barber & Willett,
    "Distribution-free inference with hierarchical data", 2023). The interval then holds the value
    with probability `coverage` or more, on average over patients who might have been drawn.
    Infinite where there are too few patients for that: 9 are needed for 0.9.

    Examples
    --------
    >>> names = [str(number) for number in range(19)]
    >>> half_width(np.arange(19.0), names, 0.9), half_width(np.arange(8.0), names[:8], 0.9)
    (17.0, inf)
    """
    groups = patient_groups(patients)
    counts = np.bincount(groups)
    mass = 1 / ((len(counts) + 1) * counts[groups])
    away = np.abs(errors)
    order = np.argsort(away, kind="stable")
    reached = np.flatnonzero(mass[order].cumsum() >= coverage - 1e-9)
    return float(away[order[reached[0]]]) if len(reached) else math.inf
