"""Heads for several findings a scan: features are extracted once, each head is fitted on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.findings import question_classes
from latentdx.diagnosis.head import Head, HeadSettings, fit_calibrated
from latentdx.diagnosis.training_table import training_table
from latentdx.diagnosis.views import Viewed
from latentdx.features.table import Extract, FeatureTable


def train_heads(
    train: FindingScans,
    calibrate: FindingScans,
    extract: Extract,
    settings: HeadSettings,
    *,
    seed: int,
    unlabelled: FeatureTable | None = None,
) -> list[Head]:
    """A head for each finding, as `train_head` makes one for a label; they share augmented copies.

    Each is scaled, chosen, fitted and calibrated by itself.
    """
    table = training_table(train.scans, extract, settings, seed=seed)
    held = Viewed.of(calibrate.scans, extract, flip=settings.flip)
    return [
        fit_calibrated(
            _asked(table, train, number),
            replace(held, scans=calibrate.question(number)),
            settings,
            n_scans=len(train),
            seed=seed,
            others=unlabelled,
        )
        for number in range(len(train.names))
    ]


def _asked(table: FeatureTable, train: FindingScans, number: int) -> FeatureTable:
    """The features of scans and of their copies with the labels of one finding."""
    labels = np.tile(train.targets[:, number], len(table) // len(train))
    return replace(table, labels=labels, classes=question_classes(train.names[number]))
