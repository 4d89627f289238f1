"""A place left out: its scans are tested, and nothing of it is learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_split_folds import Make, cohort

from latentdx.collection.split_places import places_of, split_leaving_out
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError

SITES = np.array(["A", "B", "C", "A", "B"])


def sited(table: Make, **options: list[object]) -> tuple[CollectionTable, np.ndarray]:
    """The cohort of folds at three sites, A and B twice as large; one scan in 30 of none."""
    scans = cohort(table, **options)
    values = SITES[(np.arange(300) // 3 // 5) % 5]
    return scans, np.where(np.arange(300) % 30 == 1, "", values)


def test_the_labelled_scans_of_a_place_are_tested_and_no_scan_of_it_is_learned_from(
    table: Make,
) -> None:
    scans, values = sited(table)
    places = places_of(scans, values.tolist())
    assert sorted(places.tested) == ["A", "B", "C"]
    assert places.others == ()
    for name in places.tested:
        split = split_leaving_out(scans, places, name, seed=0)
        split.check(scans)
        np.testing.assert_array_equal(split.parts == "test", (values == name) & scans.is_labelled)
        learned = split.rows("train", "tune", "calibrate", "pretrain")
        assert len(learned) > 50
        assert set(values[learned].tolist()) == {"A", "B", "C"} - {name}


def test_patients_and_near_copies_of_the_place_at_others_are_excluded(table: Make) -> None:
    scans, values = sited(table)
    values = np.where(np.arange(300) == 0, "B", values)  # of a patient of A
    near = np.array([[3, 15]])  # of two sites
    assert (values[3], values[15]) == ("A", "B")
    places = places_of(scans, values.tolist(), near)
    split = split_leaving_out(scans, places, "A", seed=0, near=near)
    away = np.isin(scans.patient, scans.patient[[0, 15]]) & (values != "A")
    assert away.sum() >= 3
    assert set(split.parts[away].tolist()) == {"excluded"}
    assert split.parts[3] == "test"


def test_a_given_test_part_stays_closed(table: Make) -> None:
    given = ["test" if index // 3 < 30 else "train" for index in range(300)]
    scans, values = sited(table, parts=given)
    places = places_of(scans, values.tolist())
    split = split_leaving_out(scans, places, "B", seed=0)
    assert set(split.parts[scans.given_part == "test"].tolist()) == {"excluded"}
    assert (
        split.counts()["test"]
        == ((values == "B") & scans.is_labelled & (np.arange(300) >= 90)).sum()
    )


def test_neither_rows_nor_names_of_places_decide(table: Make) -> None:
    scans, values = sited(table)
    first = places_of(scans, values.tolist())
    backwards = np.arange(300)[::-1]
    other = dict(zip("ABC", "zxy", strict=True)) | {"": ""}
    turned = places_of(scans.take(backwards), [other[name] for name in values[backwards]])
    assert turned.tested == tuple(other[name] for name in first.tested)
    one = split_leaving_out(scans, first, first.tested[1], seed=3)
    two = split_leaving_out(scans.take(backwards), turned, turned.tested[1], seed=3)
    np.testing.assert_array_equal(two.parts, one.parts[backwards])


def test_a_place_that_lacks_a_class_is_named_and_learned_from(table: Make) -> None:
    scans, values = sited(table)
    one_sided = replace(
        scans, label=np.where(values == "C", np.where(scans.is_labelled, "no", ""), scans.label)
    )
    places = places_of(one_sided, values.tolist())
    assert sorted(places.tested) == ["A", "B"]
    assert places.others == ("C",)
    split = split_leaving_out(one_sided, places, "A", seed=0)
    assert "C" in set(values[split.rows("train")].tolist())


def test_where_too_little_is_left_it_is_refused(table: Make) -> None:
    scans, _ = sited(table)
    values = np.where(np.arange(300) // 3 < 6, "B", "A")  # two positive patients
    places = places_of(scans, values.tolist())
    assert sorted(places.tested) == ["A", "B"]
    split_leaving_out(scans, places, "B", seed=0)
    with pytest.raises(StopError, match="E_CLASS_SIZE"):
        split_leaving_out(scans, places, "A", seed=0)
