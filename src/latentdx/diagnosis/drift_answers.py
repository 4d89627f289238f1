"""What models say of scans, each by itself, in the numbers that drift is told by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.labelled_values import ValuedScans
from latentdx.diagnosis.drift_reference import N_COMPONENTS, Floats
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.features.covariates import Covariates
from latentdx.features.table import put_beside


@dataclass(frozen=True)
class Answers:
    """Of N scans `embeddings` (N, E), `scores` (N, Q), `sure` and `right` (N, A): see `Reference`.

    `labels` (N,) of classes. They and what is right mean nothing of scans without a label.
    """

    embeddings: Floats
    scores: Floats
    sure: Floats
    right: NDArray[np.bool_]
    labels: NDArray[np.int64] | None = None


class Reducing(Protocol):
    """A head, as far as it reduces features."""

    def reduced(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D) to (N, M)."""


def class_answers(model: DiagnosticModel, scans: LabelledScans) -> Answers:
    """Of classes and grades: one answer a scan."""
    outputs = model.compute(scans.pixels, beside=scans.beside)
    table, decided = outputs.probabilities, outputs.decisions
    odds = _log_odds(table)
    return Answers(
        reduced(model.head, outputs.embeddings, model.covariates),
        odds[:, 1:] if odds.shape[1] == 2 else odds,
        table[np.arange(len(table)), decided][:, None],
        (decided == scans.labels)[:, None],
        scans.labels,
    )


def finding_answers(model: FindingsModel, scans: FindingScans) -> Answers:
    """Of several findings: an answer for each. Features are those of the first one's head."""
    each = model.compute(scans.scans.pixels, beside=scans.scans.beside)
    table = np.stack([one.probabilities[:, 1] for one in each], axis=1)
    decided = np.stack([one.decisions for one in each], axis=1)
    return Answers(
        reduced(model.models[0].head, each[0].embeddings, model.covariates),
        _log_odds(table),
        np.where(decided == 1, table, 1 - table),
        decided == scans.targets,
    )


def value_answers(model: RegressionModel, scans: ValuedScans) -> Answers:
    """Of numbers: predictions, and no answer that is right or wrong."""
    outputs = model.compute(scans.scans.pixels, scans.scans.beside)
    none = np.zeros((len(scans), 0))
    return Answers(
        reduced(model.head, outputs.look.views[0], model.covariates),
        outputs.scores.astype(np.float64),
        none,
        none > 0,
    )


def reduced(
    head: Reducing, embeddings: NDArray[np.float32], covariates: Covariates | None
) -> Floats:
    """The first components (N, E) of embeddings (N, D); covariates are as if not known."""
    beside = None if covariates is None else covariates.unknown(len(embeddings))
    features = head.reduced(put_beside(embeddings, beside))
    found: Floats = features[:, :N_COMPONENTS].astype(np.float64)
    return found


def _log_odds(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, 1e-4, 1 - 1e-4)
    found: Floats = np.log(clipped / (1 - clipped))
    return found
