"""What an encoder's features tell of scans beside the diagnosis: site, scanner, sex, age."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable
from latentdx.core.seeds import numpy_generator
from latentdx.features.label_probe import FOLDS, LabelProbe, explained
from latentdx.features.metadata import Column, metadata_columns
from latentdx.features.probe_columns import as_numbers
from latentdx.features.shortcuts import FEWEST_OF_A_CLASS, FEWEST_SCANS, one_scan_each
from latentdx.metrics.estimate import Estimate

MOST_COLUMNS, MOST_LEVELS = 20, 8

Floats = NDArray[np.float64]


def told_by_features(
    embeddings: NDArray[np.float32], table: CollectionTable, *, seed: int
) -> list[dict[str, Any]]:
    """How well embeddings (N, D) tell each column of a table of the same scans (N).

    For ``metrics.json``: ``name``, ``measure`` (``auroc``, the mean of one value against the
    others, of columns of 2 to 8 values; ``r2`` of numbers) and ``told`` with its interval. One scan
    a patient, cross-validated; columns known of fewer than 24 patients are left out.
    """
    rows = one_scan_each(table, np.arange(len(table)), seed)
    features = embeddings[rows].astype(np.float64)
    found = []
    for name, values in list(metadata_columns(table.take(rows)).items())[:MOST_COLUMNS]:
        asked = _asked(features, values, numpy_generator(seed, "features", name))
        if asked is not None:
            measure, estimate = asked
            found.append({"name": name, "measure": measure, "told": estimate.as_json()})
    return found


def _asked(
    features: Floats, values: Column, generator: np.random.Generator
) -> tuple[str, Estimate] | None:
    numbers = as_numbers(values)
    known = np.array(values) != "" if numbers is None else ~np.isnan(numbers)
    if known.sum() < FEWEST_SCANS:
        return None
    if numbers is not None:
        folds = generator.permutation(np.arange(int(known.sum())) % FOLDS)
        return "r2", explained(features[known], numbers[known], folds, generator)
    names = np.array(values)[known]
    levels, counts = np.unique(names, return_counts=True)
    levels = levels[counts >= FEWEST_OF_A_CLASS]
    if not 2 <= len(levels) <= MOST_LEVELS:
        return None
    targets = names[:, None] == (levels[1:] if len(levels) == len(counts) == 2 else levels)
    probe = LabelProbe.of(targets, generator)
    return "auroc", probe.estimate(probe.scores(features[known]), generator)
