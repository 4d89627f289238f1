"""The control that must fail: the same pipeline on labels that mean nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.features.table import Extract
from latentdx.report.baselines import Rivals
from latentdx.report.predictions import Predictions


def shuffled_labels(rivals: Rivals, extract: Extract) -> Predictions:
    """Labels of training and calibration permuted among patients, everything fitted again.

    The AUROC on the untouched test labels must lie near .5; where it does not, scans of test
    patients, or the label itself, have leaked into training.
    """
    scans = rivals.scans
    labels = scans.labels.copy()
    for part in ("train", "calibrate"):
        rows = np.flatnonzero(scans.parts == part)
        labels[rows] = _permuted(scans.take(rows), derive_seed(rivals.seed, "shuffle", part))
    shuffled = replace(rivals, scans=replace(scans, labels=labels))
    return shuffled.with_features(extract)


def _permuted(scans: LabelledScans, seed: int) -> NDArray[np.int64]:
    """Each patient's scans get the labels of another patient; every class stays as common."""
    order = np.argsort(scans.patients, kind="stable")
    names = np.unique(scans.patients)
    drawn = numpy_generator(seed).permutation(len(names))
    place = dict(zip(names.tolist(), drawn.tolist(), strict=True))
    target = np.argsort([place[name] for name in scans.patients.tolist()], kind="stable")
    found = np.empty_like(scans.labels)
    found[target] = scans.labels[order]
    return found
