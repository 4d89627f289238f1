"""What ``metrics.json`` says of shortcuts: in the scans, in the features, in the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.features.embedding_probe import told_by_features
from latentdx.study.prepare import Prepared


def shortcuts_told(
    prepared: Prepared,
    scans: LabelledScans,
    embeddings: NDArray[np.float32],
    seed: int,
    scored: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """For ``metrics.json``: ``metadata``, ``pixels``, ``embedding``, ``score_at_equal_label``.

    `embeddings` (N, D) are of `scans`, of which those of test are left out.
    """
    learned = scans.parts != "test"
    rows = {name: row for row, name in enumerate(prepared.table.scan_id.tolist())}
    table = prepared.table.take([rows[name] for name in scans.scan_ids[learned].tolist()])
    return {
        **prepared.shortcuts.as_json(),
        "embedding": told_by_features(embeddings[learned], table, seed=seed),
        "score_at_equal_label": list(scored),
    }
