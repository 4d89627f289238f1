"""Unlabelled scans for the classifier: those of pretrain only, and without the labels they have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from choice_scans import UNLABELLED, write_collection

from latentdx.collection.split import Split
from latentdx.features.pixels import flat_pixels
from latentdx.study.prepare import open_prepared
from latentdx.study.settings import settings_from
from latentdx.study.unlabelled import unlabelled_table


def test_scans_of_pretrain_come_without_labels_and_no_others(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c")
    for labelled, count in ((None, UNLABELLED), (10, UNLABELLED + 30)):
        values = {"source": str(path), "labelled": labelled}
        prepared = open_prepared(path, settings_from(values))
        found = unlabelled_table(prepared, flat_pixels, seed=0)
        assert len(found) == len(found.embeddings) == count
        assert (found.labels == -1).all()
        assert set(found.parts) == {"pretrain"}
        held_out = prepared.table.scan_id[prepared.split.rows("train", "tune", "calibrate", "test")]
        assert not set(found.scan_ids) & set(held_out)
        assert found.split_hash == prepared.split.hash


def test_without_any_the_table_is_empty(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c")
    prepared = open_prepared(path, settings_from({"source": str(path)}))
    parts = np.where(prepared.split.parts == "pretrain", "excluded", prepared.split.parts)
    split = Split(parts, Split.hash_of(prepared.table, parts))
    assert len(unlabelled_table(replace(prepared, split=split), flat_pixels, seed=0)) == 0
