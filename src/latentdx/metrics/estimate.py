"""`Estimate`: one number of an evaluation, with its interval and what it was computed on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its 95 % interval and sample size.

    Attributes
    ----------
    value: the metric on all scans, or None where it is undefined (a class is missing, say).
    low, high: ends of the interval, or None where it cannot be told.
    n_scans, n_patients: what it was computed on; intervals widen with few *patients*.

    Examples
    --------
    >>> Estimate(0.91, 0.87, float("nan"), 40, 31).as_json()
    {'value': 0.91, 'low': 0.87, 'high': None, 'n_scans': 40, 'n_patients': 31}
    """

    value: float | None
    low: float | None
    high: float | None
    n_scans: int
    n_patients: int

    def as_json(self) -> dict[str, float | int | None]:
        """The five fields as plain Python numbers; NaN and infinity become None."""
        floats = {"value": self.value, "low": self.low, "high": self.high}
        return asdict(self) | {name: defined(value) for name, value in floats.items()}


def defined(value: float | None) -> float | None:
    """``value`` as a Python float, or None where it is None, NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None
