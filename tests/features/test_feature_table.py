"""Feature tables: rows are never parted from their patients, nor joined across encoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from latentdx.collection.augment import GEOMETRIC, VIEWS, AugmentSettings
from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import LeakageError
from latentdx.features import table as features
from latentdx.features.pixels import flat_pixels
from latentdx.features.table import FeatureTable, extract_table, flipped

Scans = Callable[..., LabelledScans]
COLUMNS = ("labels", "patients", "scan_ids", "parts")


def augmented(
    given: LabelledScans, settings: AugmentSettings, *, n_copies: int, seed: int
) -> LabelledScans:
    """The scans and their copies in one."""
    found = list(features.augmented(given, settings, n_copies=n_copies, seed=seed))
    columns = {
        name: np.concatenate([getattr(copy, name) for copy in found])
        for name in ("pixels", *COLUMNS)
    }
    return replace(given, **columns)


def test_a_table_bears_what_its_scans_bear(scans: Scans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentdx.features.table._BATCH", 4)
    given = scans(6)
    table = extract_table(given, flat_pixels, extractor_hash="the encoder")
    np.testing.assert_array_equal(table.embeddings, flat_pixels(given.pixels))
    for name in (*COLUMNS, "classes", "split_hash"):
        np.testing.assert_array_equal(getattr(table, name), getattr(given, name))


def test_rows_are_taken_together(scans: Scans) -> None:
    table = extract_table(scans(6), flat_pixels, extractor_hash="")
    rows = np.array([5, 0])
    taken = table.take(rows)
    assert len(taken) == 2
    for name in ("embeddings", *COLUMNS):
        np.testing.assert_array_equal(getattr(taken, name), getattr(table, name)[rows])
    np.testing.assert_array_equal(table.take(table.labels == 1).scan_ids, table.scan_ids[1::2])


def test_features_of_another_encoder_or_split_are_refused(scans: Scans) -> None:
    table = extract_table(scans(), flat_pixels, extractor_hash="the encoder")
    table.require_same_origin("the encoder", "the split")
    for origin in (
        ("another", "the split"),
        ("the encoder", "another"),
        ("the split", "the encoder"),
    ):
        with pytest.raises(LeakageError) as caught:
            table.require_same_origin(*origin)
        assert caught.value.code == "E_MIXED"


def test_tables_of_one_origin_are_joined_row_by_row(scans: Scans) -> None:
    table = extract_table(scans(6), flat_pixels, extractor_hash="the encoder")
    rows = [np.array([5, 0]), np.array([2])]
    joined = FeatureTable.joined([table.take(each) for each in rows])
    for name in ("embeddings", *COLUMNS):
        np.testing.assert_array_equal(getattr(joined, name), getattr(table, name)[[5, 0, 2]])
    with pytest.raises(LeakageError, match="E_MIXED"):
        FeatureTable.joined([table, replace(table, extractor_hash="another")])


def test_copies_follow_the_scans_and_bear_their_patients(scans: Scans) -> None:
    given = scans(6)
    found = augmented(given, GEOMETRIC, n_copies=2, seed=0)
    assert len(found) == 18
    np.testing.assert_array_equal(found.pixels[:6], given.pixels)
    for name in COLUMNS:
        np.testing.assert_array_equal(
            getattr(found, name).reshape(3, 6), [getattr(given, name)] * 3
        )
    assert (found.classes, found.split_hash) == (given.classes, given.split_hash)


def test_copies_differ_from_their_scan_and_from_each_other(scans: Scans) -> None:
    blocks = augmented(scans(6), GEOMETRIC, n_copies=2, seed=0).pixels.reshape(3, 6, -1)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert (np.abs(blocks[first] - blocks[second]).max(axis=1) > 0.05).all()


def test_a_copy_resembles_its_own_scan_most() -> None:
    y, x = np.mgrid[:24, :24] / 23
    waves = [0.5 + 0.5 * np.sin(6 * (a * x + b * y)) for a, b in ((0, 1), (1, 0), (1, 1), (1, -1))]
    rows = np.arange(4)
    given = LabelledScans(
        np.stack(waves)[:, None].astype(np.float32),
        rows, rows.astype(str), rows.astype(str), rows.astype(str), ("a", "b"), "",
    )  # fmt: skip
    settings = type(GEOMETRIC)(rotation=3.0, shift=0.02, zoom=(0.98, 1.02), flip=0.0)
    copies = augmented(given, settings, n_copies=3, seed=0).pixels[4:].reshape(3, 4, -1)
    likeness = np.corrcoef(given.pixels.reshape(4, -1), copies.reshape(12, -1))[:4, 4:]
    np.testing.assert_array_equal(likeness.argmax(axis=0), np.tile(rows, 3))


def test_copies_are_drawn_from_the_seed(scans: Scans) -> None:
    given = scans(6)
    first = augmented(given, VIEWS, n_copies=1, seed=0).pixels
    np.testing.assert_array_equal(augmented(given, VIEWS, n_copies=1, seed=0).pixels, first)
    assert np.abs(augmented(given, VIEWS, n_copies=1, seed=1).pixels[6:] - first[6:]).max() > 0.05
    more = augmented(given, VIEWS, n_copies=3, seed=0).pixels
    np.testing.assert_array_equal(more[:12], first)  # a further copy does not change the others


def test_without_copies_the_scans_stay(scans: Scans) -> None:
    given = scans(6)
    np.testing.assert_array_equal(augmented(given, VIEWS, n_copies=0, seed=0).pixels, given.pixels)


def test_flipped_mirrors_left_to_right_and_back(scans: Scans) -> None:
    pixels = scans(2).pixels
    np.testing.assert_array_equal(flipped(pixels)[0, 0, 3], pixels[0, 0, 3, ::-1])
    np.testing.assert_array_equal(flipped(flipped(pixels)), pixels)
    assert flipped(pixels).flags.c_contiguous


def test_volumes_are_mirrored_along_their_axis_to_the_right() -> None:
    volumes = np.random.default_rng(0).random((2, 1, 5, 6, 7)).astype(np.float32)
    np.testing.assert_array_equal(flipped(volumes), volumes[:, :, ::-1])


def test_copies_of_volumes_are_volumes_and_differ() -> None:
    rows = np.arange(3)
    names = rows.astype(str)
    volumes = np.random.default_rng(0).random((3, 1, 9, 8, 10)).astype(np.float32)
    given = LabelledScans(volumes, rows, names, names, names, ("a", "b", "c"), "")
    found = augmented(given, GEOMETRIC, n_copies=1, seed=0).pixels
    assert found.shape == (6, 1, 9, 8, 10)
    np.testing.assert_array_equal(found[:3], volumes)
    assert (np.abs(found[3:] - volumes).max(axis=(1, 2, 3, 4)) > 0.05).all()
