"""Masks of a collection in memory: the same bits, and all of a scan that has none."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest

from latentdx.collection import stored_masks
from latentdx.collection.store import Collection
from latentdx.collection.stored_masks import StoredMasks
from latentdx.collection.table import ScanRow
from latentdx.scans.own_mask import packed


def collection(path: Path, masks: list[np.ndarray | None], *, dims: int = 2) -> Collection:
    shape = (1, *(5,) * dims)
    made = Collection.create(path, 5, 1, dims=dims, masks=any(mask is not None for mask in masks))
    names = [f"{number:04}" for number in range(len(masks))]
    made.append(
        [
            ScanRow(name, name, np.zeros(shape, np.float32), "0" * 64, mask=packed(mask))
            for name, mask in zip(names, masks, strict=True)
        ]
    )
    made.mark_complete({})
    return made


@pytest.mark.parametrize("dims", [2, 3])
def test_they_are_the_collection_s_in_the_order_that_is_asked_for(
    tmp_path: Path, dims: int
) -> None:
    drawn = np.random.default_rng(0).random((600, *(5,) * dims)) > 0.5
    masks: list[np.ndarray | None] = [*drawn]
    masks[7] = None
    masks[9] = np.zeros((5,) * dims, bool)
    stored = collection(tmp_path / "c", masks, dims=dims)
    rows = np.random.default_rng(1).permutation(600)
    found = StoredMasks.of(stored, rows)
    assert (len(found), found.shape) == (600, (5,) * dims)
    assert sorted(rows[~found.given].tolist()) == [7, 9]
    inside = found.inside(np.arange(600))
    for row, mask in zip(rows.tolist(), inside[:, 0], strict=True):
        assert mask.all() if row in (7, 9) else np.array_equal(mask, drawn[row])
    some = np.array([500, 3])
    assert np.array_equal(found.inside(some), inside[some])


def test_a_collection_without_masks_has_none(tmp_path: Path) -> None:
    found = StoredMasks.of(collection(tmp_path / "c", [None] * 3), np.arange(3))
    assert not found.given.any()
    assert found.inside(np.arange(3)).all()


def test_the_hash_is_of_the_masks_and_of_their_order(tmp_path: Path) -> None:
    masks: list[np.ndarray | None] = [*(np.random.default_rng(0).random((3, 5, 5)) > 0.5)]
    stored = collection(tmp_path / "c", masks)
    first = StoredMasks.of(stored, np.arange(3)).hash
    assert first == StoredMasks.of(stored, np.arange(3)).hash
    assert first != StoredMasks.of(stored, np.array([1, 0, 2])).hash


def test_examples_hold() -> None:
    assert doctest.testmod(stored_masks).failed == 0
