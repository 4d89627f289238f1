"""Columns as numbers: what is asked for the label, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latentdx.collection.table import CollectionTable, ScanRow, table_of
from latentdx.features.probe_columns import (
    ORDER,
    are_days,
    as_numbers,
    of_column,
    of_words,
    path_words,
    patient_numbers,
    probed_columns,
)
from latentdx.features.probe_marks import marks
from latentdx.features.probe_pixels import BORDER, CORNERS, HISTOGRAM, RING, of_pictures


def table(paths: list[str], **more: object) -> CollectionTable:
    pixels = np.zeros((1, 1, 1), np.float32)
    rows = [
        ScanRow(f"{n:016x}", path, pixels, str(n), label=("no", "yes")[n % 2], patient=f"P{n}")
        for n, path in enumerate(paths)
    ]
    return table_of(replace(row, **more) for row in rows)


def test_the_order_of_patients_is_that_of_the_numbers_in_names() -> None:
    assert patient_numbers(table(["a/001_0.png", "a/012_1.png"])) == ("001", "012")
    assert ORDER in probed_columns(table(["a/001_0.png", "a/012_1.png"]))


def test_there_is_no_order_without_patients_or_with_names_of_several_kinds() -> None:
    assert patient_numbers(table(["1.png", "2.png"], patient="scan:12")) == ("", "")
    assert patient_numbers(table(["1.png", "2.png"], patient=None)) == ("", "")
    assert patient_numbers(table(["person1.png", "IM-2.png"])) == ("", "")
    assert patient_numbers(table(["1.png", "2.png"], patient="one of both")) == ("", "")
    assert ORDER not in probed_columns(table(["a.png", "b.png"]))


def test_words_in_paths_but_for_folders_of_classes() -> None:
    assert path_words(table(["x/1_sick.png", "y/2_Well.png"])) == [{"x", "sick"}, {"y", "well"}]
    assert path_words(table(["no/1_a.png", "yes/2_b.png"])) == [set(), set()]


def test_words_that_all_or_hardly_any_have_say_nothing() -> None:
    words = [{"all", "some"} if n % 2 else {"all"} for n in range(10)]
    found = of_words([*words[:9], {"all", "once"}])
    assert found is not None
    assert found[:, 0].tolist() == [0, 1] * 4 + [0, 0]
    assert of_words([{"all"}] * 10) is None


def test_numbers_become_ranks_and_eighths() -> None:
    values = (*tuple(str(2**n) for n in range(16)), "")
    found = of_column(values)
    assert found is not None
    assert np.isfinite(found).all()
    assert found.shape == (17, 10)
    assert np.ptp(np.diff(found[:16, 0])) < 1e-9  # even steps, however far the numbers lie apart
    assert of_column(tuple(f"name {n}" for n in range(20))) is None


def test_days_are_numbers() -> None:
    days = tuple(f"2020-03-{n:02}" for n in range(1, 21))
    assert are_days(days)
    assert not are_days(("19480", "20210"))
    numbers = as_numbers(days)
    assert numbers is not None
    assert (np.diff(numbers) > 0).all()


def test_the_middle_of_a_picture_is_looked_at_in_its_grey_levels_alone() -> None:
    pictures = np.random.default_rng(0).random((2, 1, 64, 64), dtype=np.float32)
    pictures[1] = pictures[0]
    pictures[1, 0, 20:40, 20:40] = 0
    found = of_pictures(pictures)
    for name in (BORDER, CORNERS, RING):
        assert (found[name][0] == found[name][1]).all()
    assert (found[HISTOGRAM][0] != found[HISTOGRAM][1]).any()


def test_a_marker_is_seen_where_it_lies() -> None:
    scan = np.full((1, 1, 128, 128), 0.4, np.float32)
    assert not marks(scan).any()
    scan[0, 0, 6:16, 110:113] = 0.9
    scan[0, 0, 60:66, 60:63] = 0.9  # in the middle: not looked at
    (found,) = marks(scan)
    assert found[:4].tolist() == [0, 1, 0, 0]
    assert found[5] == 30 / 128**2
    scan[0, 0, 6:16, 110:113] = 0.0
    assert marks(scan)[0, 6:10].tolist() == [0, 1, 0, 0]


def test_volumes_are_looked_at_too() -> None:
    assert marks(np.random.default_rng(0).random((2, 1, 24, 24, 24), dtype=np.float32)).shape == (
        2,
        12,
    )
