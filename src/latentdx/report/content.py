"""`ReportContent`: all that the report shows, as plain numbers and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Examples:
    """A few test scans as the model saw them, and what it made of them.

    Attributes
    ----------
    pixels, reconstructions: float32 (M, C, *spatial) in 0..1.
    labels: int (M,), the reference standard; probabilities: (M, K).
    """

    pixels: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class ReportContent:
    """What `report.html` is made from.

    Attributes
    ----------
    name: of the source, without its folder.
    classes: K names, negative first; of two, the second is the positive one.
    verdict: one plain sentence on whether the autoencoder was worth it.
    invalid: why every score is invalid (test patients seen in training), or None.
    metrics: the content of ``metrics.json``.
    audit: the content of ``audit.json``.
    alike: pixels (C, *spatial) by path, of scans that the audit names as nearly equal.
    parts: part -> class -> (number of scans, number of patients); ``""`` is unlabelled.
    n_quarantined: files set aside.
    labels, probabilities, decisions: of the test part, (N,), (N, K), (N,).
    threshold: probability of the positive class from which it is decided; None for K > 2.
    decided: how it decides, a sentence each.
    rivals: probabilities (N, K) of the baselines on the same scans, by name.
    map_points, map_labels: 2-D coordinates (N, 2) of the test embeddings, and their labels (N,).
    examples: reconstructions beside their scans; worst: the same of the gravest errors;
        strata: the same of errors in each hidden group that fails, in their order.
    history: one entry an epoch: ``epoch``, ``loss``, ``tune_loss``, ``images_per_second``.
    settings: the resolved settings, name -> value.
    provenance: versions, processor, device, split hash, bundle hash: name -> text.
    """

    name: str
    classes: tuple[str, ...]
    verdict: str
    metrics: Mapping[str, Any]
    audit: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, tuple[int, int]]]
    n_quarantined: int
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.int64]
    threshold: float | None
    rivals: Mapping[str, NDArray[np.float64]]
    map_points: NDArray[np.float64]
    map_labels: NDArray[np.int64]
    examples: Examples
    history: Sequence[Mapping[str, float]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    invalid: str | None = None
    decided: tuple[str, ...] = ()
    worst: Examples | None = None
    strata: tuple[Examples, ...] = ()
    alike: Mapping[str, NDArray[Any]] = field(default_factory=dict)
