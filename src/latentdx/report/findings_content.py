"""`FindingsContent`: all that the report of several findings shows, as plain numbers and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentdx.report.content import ReportContent


@dataclass(frozen=True)
class FindingExamples:
    """A few test scans as the model saw them, and what it made of them.

    Attributes
    ----------
    pixels, reconstructions: float32 (M, C, *spatial) in 0..1.
    labels, decisions: (M,) texts, findings joined.
    likeliest: (M,) the finding of the highest probability, and that.
    """

    pixels: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    labels: Sequence[str]
    decisions: Sequence[str]
    likeliest: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class FindingsContent:
    """What `report.html` is made from where scans have several findings.

    Attributes
    ----------
    classes: names of the L findings.
    negative: what a scan with none of them is called.
    metrics: the content of ``metrics.json``.
    targets, probabilities: of the test part, (N, L).
    thresholds: probability of each finding from which it is decided.
    map_points: 2-D coordinates (M, 2) of test embeddings; map_labels (M,): 1 with any finding.
    The others: as those of `ReportContent`.
    """

    name: str
    classes: tuple[str, ...]
    negative: str
    verdict: str
    metrics: Mapping[str, Any]
    audit: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, tuple[int, int]]]
    n_quarantined: int
    targets: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    thresholds: Mapping[str, float | None]
    map_points: NDArray[np.float64]
    map_labels: NDArray[np.int64]
    examples: FindingExamples
    history: Sequence[Mapping[str, float]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    invalid: str | None = None
    decided: tuple[str, ...] = ()
    worst: FindingExamples | None = None
    strata: tuple[FindingExamples, ...] = ()
    threshold: float | None = None


CardContent: TypeAlias = ReportContent | FindingsContent
"""What a card is made from."""
