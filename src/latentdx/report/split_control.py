"""What the score would have looked like, had scans been split without regard to patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.answers import answered
from latentdx.diagnosis.fit_like import fit_like
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.head import Head
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.estimate import Estimate
from latentdx.report.controls import MOST_SCANS, ControlScans
from latentdx.report.fold import WITHIN, Folded
from latentdx.report.predictions import Predictions

BY_SCAN, BY_PATIENT = "scan-level-split", "patient-level-split"
FEWEST = 1.1
"""Scans a patient from which on a split by scan is another one."""
_FOLDS = 5

Ints = NDArray[np.int64]


def split_controls(head: Head, control: ControlScans, seed: int) -> dict[str, dict[str, Estimate]]:
    """AUROC (macro) over folds of ``train`` by scan, and by patient, on the same features.

    A classifier like the head's is fitted in each fold, without copies, on scans of at most about
    1500; the test part takes no part. By scan a patient stands on both sides, and the classifier
    may know it again instead of its disease (Yagis et al., Scientific Reports 11, 2021). ``{}``
    where there are fewer than 1.1 scans a patient, or a class has too few patients for folds.
    """
    train = _drawn(control.part("train"), seed)
    groups = patient_groups(train.scans.patients)
    if len(groups) < FEWEST * len(np.unique(groups)):
        return {}
    ways = {BY_SCAN: np.arange(len(groups)), BY_PATIENT: groups}
    found = {name: _within(head, train, units, seed) for name, units in ways.items()}
    told = {name: {"auroc": one} for name, one in found.items() if one is not None}
    return told if len(told) == len(ways) else {}


def split_sentence(controls: Mapping[str, Any]) -> str:
    """Both figures in words, from the entry ``splits`` of ``metrics.json``; ``""`` without."""
    by_scan, by_patient = (
        controls.get(name, {}).get("auroc", {}).get("value") for name in (BY_SCAN, BY_PATIENT)
    )
    if by_scan is None or by_patient is None:
        return ""
    return (
        f"Within the training part, scans split without regard to patients show an AUROC of "
        f"{by_scan:.3f}, the same scans split by patient {by_patient:.3f}: only the second says "
        "what a new patient may expect, and all else here is split so."
    )


def _within(head: Head, train: ControlScans, units: Ints, seed: int) -> Estimate | None:
    """The mean of the folds' AUROCs, where `units` (N,) stay together."""
    labels, features = train.scans.labels, train.features
    n_classes = len(train.scans.classes)
    folds = patient_folds(labels, units, _FOLDS, seed=derive_seed(seed, "split"))
    parts = []
    for rows, held in folds:
        machine = fit_like(
            head, features[rows], labels[rows], train.scans.patients[rows], n_classes
        )
        known, asked = machine.scores(features[rows]), machine.scores(features[held])
        said = answered(known, labels[rows], asked, head.ordered)
        parts.append(Predictions(labels[held], train.scans.patients[held], *said))
    if not parts:
        return None
    return Folded.of(parts, list(range(len(parts)))).metrics(seed)[WITHIN]


def _drawn(train: ControlScans, seed: int) -> ControlScans:
    """Scans of drawn patients, about `MOST_SCANS`."""
    if len(train.scans) <= MOST_SCANS:
        return train
    groups = patient_groups(train.scans.patients)
    order = numpy_generator(seed, "split").permutation(int(groups.max()) + 1)
    sizes = np.bincount(groups)[order]
    kept = order[np.cumsum(sizes) <= MOST_SCANS]
    rows = np.flatnonzero(np.isin(groups, kept))
    return ControlScans(train.scans.take(rows), train.features[rows])
