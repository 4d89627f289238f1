"""What a model sees in scans and makes of them: `Look`, `Outputs`, `Conclusion`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.cases import Cases
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.gate_evidence import gather
from latentdx.features.extract import reconstruct

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Outputs:
    """What the model computes of N scans; row i belongs to scan i.

    `scores` (N, Q), `probabilities` (N, K), `decisions` (N,), `sets` (N, K), `anomaly` (N,),
    `foreign` (N,), `embeddings` (N, D), `reconstructions` (N, C, *spatial), `strangest` (N,), the
    name of the gate's measure that lies furthest out. `importance` of the scans within their cases,
    one for each scan also where a row is a case; None where all scans of a case count alike.
    """

    scores: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.int64]
    sets: NDArray[np.bool_]
    anomaly: NDArray[np.float64]
    foreign: NDArray[np.bool_]
    embeddings: NDArray[np.float32]
    reconstructions: Pixels
    strangest: NDArray[np.str_]
    importance: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Look:
    """What a model sees in N scans before it judges them; see `Outputs`.

    `views`: embeddings (N, D) of the scans and, where scores are averaged, of their mirror images.
    """

    views: tuple[NDArray[np.float32], ...]
    anomaly: NDArray[np.float64]
    foreign: NDArray[np.bool_]
    reconstructions: Pixels
    strangest: NDArray[np.str_]

    def of(self, cases: Cases) -> Look:
        """Each case as its first scan; as strange as its strangest, foreign where all scans are."""
        rows, first = cases.rows(), cases.first
        return Look(
            tuple(cases.mean(view) for view in self.views),
            np.array([self.anomaly[each].max() for each in rows]),
            np.array([self.foreign[each].all() for each in rows]),
            self.reconstructions[first],
            self.strangest[first],
        )


class Conclusion(NamedTuple):
    """What follows from scores: see `Outputs`."""

    probabilities: NDArray[np.float64]
    decisions: NDArray[np.int64]
    sets: NDArray[np.bool_]


def agreed(told: Sequence[Conclusion], implied: Sequence[tuple[int, int]]) -> list[Conclusion]:
    """Conclusions on findings, in which whoever has a child has its parent.

    `implied` are (child, parent). The parent is at least as probable, decided where the child is,
    and in the set where the child is in its own.
    """
    found = list(told)
    for child, parent in implied:
        kind, above = told[child], found[parent]
        yes = np.maximum(above.probabilities[:, 1], kind.probabilities[:, 1])
        sets = above.sets.copy()
        sets[:, 1] |= kind.sets[:, 1]
        decisions = np.maximum(above.decisions, kind.decisions)
        found[parent] = Conclusion(np.stack([1 - yes, yes], axis=1), decisions, sets)
    return found


def look_at(
    pixels: Pixels,
    views: tuple[NDArray[np.float32], ...],
    encoder: Autoencoder,
    gate: AnomalyGate,
    *,
    pooled: NDArray[np.float32] | None,
) -> Look:
    """What an encoder and a gate make of pixels; `pooled`: its features where views are these."""
    rebuilt = reconstruct(encoder, pixels)
    evidence = gather(encoder, pixels, rebuilt, pooled)
    strange, foreign = gate.scores(evidence), gate.is_foreign(evidence)
    return Look(views, strange, foreign, rebuilt, gate.strangest(evidence))
