"""A head that weighs the scans of a case: `AttentionPool` beside its classifier."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from latentdx.collection.cases import Cases
from latentdx.diagnosis.fine_tuned import spreads
from latentdx.diagnosis.fit_attention import fit_attention
from latentdx.diagnosis.task import Task
from latentdx.diagnosis.views import Viewed
from latentdx.features.table import FeatureTable
from latentdx.metrics.bootstrap import patient_groups

if TYPE_CHECKING:
    from latentdx.diagnosis.head import Head


def with_attention(
    head: Head, table: FeatureTable, calibrate: Viewed, *, n_scans: int, seed: int
) -> Head:
    """The head with an attention network fitted on the cases of its training table.

    The classifier's score of a scan and the network's are divided by their deviations over the
    scans of ``calibrate`` (whose labels are not looked at) and added: both have the same say. The
    weights by attention hold for the sum.
    """
    assert table.cases is not None, "no cases are decided"
    reduced = head.reduced(table.embeddings)
    task = Task(
        reduced[:n_scans],
        table.labels[:n_scans],
        len(table.classes),
        patient_groups(table.patients[:n_scans].tolist()),
        head.ordered,
    )
    attention = fit_attention(reduced, Cases.of(table.cases[:n_scans]), task, seed=seed)
    seen = head.reduced(calibrate.views[0])
    both = [spreads(head.machine.scores(seen)), spreads(attention.scores(seen))]
    return replace(head, attention=attention, scales=np.stack(both))
