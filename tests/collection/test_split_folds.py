"""Folds: each labelled scan tested once, whoever belongs together together, nothing else seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from latentdx.collection.split import HELD_OUT_PARTS, Split, split_by_patient
from latentdx.collection.split_folds import split_into_folds
from latentdx.collection.table import CollectionTable
from latentdx.collection.units import unit_ids
from latentdx.core.errors import StopError

Make = Callable[..., CollectionTable]


def cohort(table: Make, **options: list[object]) -> CollectionTable:
    """A hundred patients with two labelled scans and one without; every fifth is positive."""
    patients = [f"P{index // 3}" for index in range(300)]
    positive = [index // 3 % 5 == 0 for index in range(300)]
    labels = [None if index % 3 == 2 else ("no", "yes")[positive[index]] for index in range(300)]
    return table(labels, patients=patients, **options)


def times_tested(splits: list[Split]) -> np.ndarray:
    """(N,) in how many folds each row is tested."""
    found: np.ndarray = sum((split.parts == "test").astype(int) for split in splits)
    return found


@pytest.mark.parametrize("n_folds", [2, 5])
def test_each_labelled_scan_is_tested_once_and_no_other(table: Make, n_folds: int) -> None:
    scans = cohort(table)
    splits = split_into_folds(scans, n_folds, seed=0)
    assert len(splits) == n_folds
    np.testing.assert_array_equal(times_tested(splits), scans.is_labelled)
    for split in splits:
        split.check(scans)
        for label, n in (("no", 80), ("yes", 20)):
            count = int((scans.label[split.rows("test")] == label).sum()) / 2
            assert count == n / n_folds


def test_a_fold_shares_no_patient_with_what_it_is_made_from(table: Make) -> None:
    shared = [index // 6 if index % 3 == 0 else None for index in range(300)]
    pictures = [f"p{row}" if shared[row] is None else shared[row] for row in range(300)]
    scans = cohort(table, pictures=pictures)
    near = np.array([[0, 60], [90, 200]])
    units = unit_ids(scans, near)
    assert len(np.unique(units)) < 52
    for split in split_into_folds(scans, 5, seed=1, near=near):
        parts = [set(units[split.rows(part)].tolist()) for part in HELD_OUT_PARTS]
        seen = set(units[split.rows("train", "pretrain")].tolist())
        assert all(parts)
        assert not any(seen & part for part in parts)
        assert sum(map(len, parts)) == len(set().union(*parts))


def test_with_five_folds_parts_are_as_large_as_those_of_one_split(table: Make) -> None:
    scans = cohort(table)
    one = split_by_patient(scans, seed=0).counts()
    assert [split.counts() for split in split_into_folds(scans, 5, seed=0)] == [one] * 5


def test_the_seed_decides_and_nothing_else(table: Make) -> None:
    scans = cohort(table)
    backwards = np.arange(len(scans))[::-1]
    first, again, other = (split_into_folds(scans, 4, seed=seed) for seed in (0, 0, 1))
    assert [split.hash for split in first] == [split.hash for split in again]
    assert [split.hash for split in first] != [split.hash for split in other]
    for split, turned in zip(
        first, split_into_folds(scans.take(backwards), 4, seed=0), strict=True
    ):
        np.testing.assert_array_equal(turned.parts, split.parts[backwards])


def test_large_and_small_patients_are_spread_evenly(table: Make) -> None:
    """A tenth of the patients have nine scans, the others one."""
    patients = [f"P{k}" for k in range(100) for _ in range(9 if k % 10 == 0 else 1)]
    positive = {f"P{k}" for k in range(100) if k % 4 == 1 or k % 20 == 0}
    labels = ["yes" if name in positive else "no" for name in patients]
    scans = table(labels, patients=patients)
    splits = split_into_folds(scans, 5, seed=0)
    for label in ("no", "yes"):
        counts = [int((scans.label[split.rows("test")] == label).sum()) for split in splits]
        assert max(counts) - min(counts) <= 1


def test_a_given_test_part_stays_closed_and_other_parts_are_drawn_anew(table: Make) -> None:
    given = [("train", "val", "test")[min(2, index // 3 // 40)] for index in range(300)]
    given[3 * 99] = "train"  # of a patient of test
    scans = cohort(table, parts=given)
    closed = np.isin(scans.patient, scans.patient[scans.given_part == "test"])
    splits = split_into_folds(scans, 4, seed=0)
    np.testing.assert_array_equal(times_tested(splits), scans.is_labelled & ~closed)
    for split in splits:
        assert set(split.parts[closed].tolist()) == {"excluded"}
        assert {"train", "val"} <= set(scans.given_part[split.rows("train")].tolist())


def test_what_is_declared_held_out_is_not_pretrained_on_even_without_labels(table: Make) -> None:
    scans = cohort(table)
    declared = replace(
        scans, given_part=np.where(scans.is_labelled, "", np.where(scans.path < "2", "test", ""))
    )
    for split in split_into_folds(declared, 3, seed=0):
        assert set(split.parts[declared.given_part == "test"].tolist()) == {"excluded"}
        assert split.counts()["pretrain"] > 0


def test_few_labels_are_those_of_each_folds_train(table: Make) -> None:
    scans = cohort(table)
    for split in split_into_folds(scans, 5, seed=0, labelled=30):
        assert split.counts()["train"] == 30
        assert split.counts()["test"] == 40


def test_a_class_of_fewer_patients_than_folds_is_refused(table: Make) -> None:
    scans = table(["no"] * 20 + ["yes"] * 5)
    assert len(split_into_folds(scans, 5, seed=0)) == 5
    with pytest.raises(StopError, match=r"E_CLASS_SIZE.*'yes' has 5 patients, for 6 folds"):
        split_into_folds(scans, 6, seed=0)
    with pytest.raises(StopError, match="E_CLASS_SIZE"):  # two are tested, one part has none
        split_into_folds(table(["no"] * 20 + ["yes"] * 4), 2, seed=0)
