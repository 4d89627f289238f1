"""Who has the key can ask what a model has seen; who has not learns nothing, and cannot ask."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from latentdx.collection import seen_record
from latentdx.collection.seen_record import SeenRecord, names_of, patient_name, picture_name
from latentdx.collection.table import ScanRow, table_of

KEY, OTHER = b"k" * 32, b"o" * 32
NAMES = [f"{number:016x}" for number in range(200)]


def record(key: bytes = KEY, salt: str = "split", *, complete: bool = True) -> SeenRecord:
    return SeenRecord.of(
        key, salt, labelled=NAMES[:40], unlabelled=NAMES[20:100], complete=complete
    )


def test_the_owner_of_the_key_is_told_who_is_on_it() -> None:
    made = record()
    assert made.has_labelled(NAMES, KEY).tolist() == [number < 40 for number in range(200)]
    seen = made.has_unlabelled(NAMES, KEY).tolist()
    assert seen == [20 <= number < 100 for number in range(200)]
    assert made.opens_with(KEY)
    assert made.names_any([NAMES[150], NAMES[99]], KEY)
    assert not made.names_any([NAMES[150], ""], KEY)


def test_without_the_key_a_picture_in_hand_tells_nothing() -> None:
    made = record()
    assert not made.opens_with(OTHER)
    assert not made.has_labelled(NAMES, OTHER).any()
    assert not made.has_unlabelled(NAMES, OTHER).any()
    held = b"".join(array.tobytes() for array in made.to_arrays().values())
    assert not [name for name in NAMES if bytes.fromhex(name) in held and int(name, 16)]


def test_two_records_of_one_key_share_no_token() -> None:
    first, second = record(salt="one"), record(salt="two")
    assert not set(first.labelled.tolist()) & set(second.labelled.tolist())
    assert first.check != second.check
    assert record(salt="one").to_arrays()["labelled"].tolist() == first.labelled.tolist()


def test_the_order_of_names_does_not_matter_and_no_name_is_nobody() -> None:
    made = SeenRecord.of(KEY, "", labelled=["", *NAMES[::-1]], unlabelled=[""], complete=True)
    again = SeenRecord.of(KEY, "", labelled=NAMES, unlabelled=[], complete=True)
    assert made.labelled.tolist() == again.labelled.tolist()
    assert not made.has_labelled([""], KEY).any()
    assert made.unlabelled.tolist() == []


@pytest.mark.parametrize("complete", [True, False])
def test_it_comes_back_from_arrays_the_same(complete: bool) -> None:
    made = record(complete=complete)
    again = SeenRecord.from_arrays(made.to_arrays())
    assert (again.salt, again.check, again.complete) == (made.salt, made.check, complete)
    assert again.has_labelled(NAMES, KEY).tolist() == made.has_labelled(NAMES, KEY).tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"salt": np.zeros(15, np.uint8)},
        {"check": np.zeros(0, np.uint64)},
        {"complete": np.zeros(2, np.uint8)},
        {"labelled": np.zeros(3, np.float32)},
        {"unlabelled": np.zeros((3, 1), np.uint64)},
    ],
)
def test_arrays_of_something_else_are_refused(change: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="of another"):
        SeenRecord.from_arrays({**record().to_arrays(), **change})


def test_a_scan_is_known_by_its_picture_and_its_patient() -> None:
    pixels = np.zeros((1, 4, 4), np.float32)
    rows = [ScanRow("a", "a", pixels, "1" * 64, patient="p"), ScanRow("b", "b", pixels, "")]
    assert names_of(table_of(rows), [0, 1]) == [{"1" * 16, patient_name("p")}, set()]
    assert picture_name("") == patient_name("") == ""


def test_the_example_runs() -> None:
    assert doctest.testmod(seen_record).failed == 0
