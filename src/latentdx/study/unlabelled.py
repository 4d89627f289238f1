"""The unlabelled scans of the training side, as a classifier may use them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import ordered_rows
from latentdx.core.seeds import numpy_generator
from latentdx.features.table import Extract, FeatureTable, put_beside
from latentdx.study.prepare import Prepared

MOST, MOST_FOR_SCALE = 20_000, 2000
"""Beyond, some are drawn: a graph of neighbours compares each with each; a scale needs fewer."""


def unlabelled_rows(prepared: Prepared, *, seed: int, most: int) -> NDArray[np.int64]:
    """Rows of the scans of ``pretrain``; of more than `most` so many are drawn."""
    rows = ordered_rows(prepared.table, prepared.split, "pretrain")
    if len(rows) > most:
        drawn = numpy_generator(seed, "unlabelled").choice(len(rows), most, replace=False)
        rows = rows[np.sort(drawn)]
    return rows


def unlabelled_table(
    prepared: Prepared, extract: Extract, *, seed: int, most: int = MOST
) -> FeatureTable:
    """Embeddings of the scans of ``pretrain``, every label -1; no scan of another part is read.

    Labels that they have (those that ``--labelled N`` leaves out) are not looked at.
    """
    table, split = prepared.table, prepared.split
    rows = unlabelled_rows(prepared, seed=seed, most=most)
    found = [extract(pixels) for pixels in prepared.collection.batches(rows)]
    beside = prepared.beside(table.scan_id[rows].tolist()) if found else None
    return FeatureTable(
        put_beside(np.concatenate(found), beside) if found else np.empty((0, 0), np.float32),
        np.full(len(rows), -1),
        table.patient_or_scan()[rows],
        table.scan_id[rows],
        split.parts[rows],
        prepared.classes,
        "",
        split.hash,
        0 if beside is None else beside.shape[1],
    )
