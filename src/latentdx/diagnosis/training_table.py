"""What a head is fitted on: the features of scans and of their augmented copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentdx.collection.labelled import LabelledScans
from latentdx.features.table import Extract, FeatureTable, augmented, extract_table

if TYPE_CHECKING:
    from latentdx.diagnosis.head import HeadSettings


def training_table(
    train: LabelledScans,
    extract: Extract,
    settings: HeadSettings,
    *,
    seed: int,
    extractor_hash: str = "",
) -> FeatureTable:
    """Features of the scans of `train`, and behind them those of their augmented copies."""
    n_copies = settings.n_copies(len(train))
    copies = augmented(train, settings.augmentation(), n_copies=n_copies, seed=seed)
    return FeatureTable.joined(
        [extract_table(copy, extract, extractor_hash=extractor_hash) for copy in copies]
    )
