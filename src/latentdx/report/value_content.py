"""`ValueContent`: all that the report of a model of numbers shows, as plain numbers and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class PartFacts:
    """Of one part: scans, patients, and the least, median and greatest value; None: no values."""

    n_scans: int
    n_patients: int
    values: tuple[float, float, float] | None


@dataclass(frozen=True)
class ValueExamples:
    """A few test scans: float32 (M, C, *spatial) in 0..1, their values and predictions (M,)."""

    pixels: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    values: Values
    predicted: Values


@dataclass(frozen=True)
class ValueContent:
    """What `report.html` is made from where numbers are predicted.

    Attributes
    ----------
    name: of the source, without its folder; units: of the values, ``""`` where not told.
    verdict, invalid, metrics, audit, n_quarantined, history, settings, provenance: see
        `ReportContent`.
    parts: what each part holds, by name.
    values, predicted: of the test part, (N,); half_width: of the intervals, infinite without end.
    map_points, map_values: 2-D coordinates (N, 2) of test embeddings, and their values (N,).
    decided: how it predicts, a sentence each.
    worst, strata: of the largest errors, and of those in each hidden group that fails.
    """

    name: str
    units: str
    verdict: str
    metrics: Mapping[str, Any]
    audit: Mapping[str, Any]
    parts: Mapping[str, PartFacts]
    n_quarantined: int
    values: Values
    predicted: Values
    half_width: float
    map_points: Values
    map_values: Values
    examples: ValueExamples
    history: Sequence[Mapping[str, float]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    invalid: str | None = None
    decided: tuple[str, ...] = ()
    worst: ValueExamples | None = None
    strata: tuple[ValueExamples, ...] = ()
