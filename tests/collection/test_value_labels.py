"""Labels that are numbers: what is one, how they are split, and when they must be asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from latentdx.collection.audit import audit
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.labelled_values import ValuedScans
from latentdx.collection.labels import order_grades
from latentdx.collection.split import LABELLED_PARTS
from latentdx.collection.split_values import split_by_value
from latentdx.collection.table import CollectionTable
from latentdx.collection.tasks import resolve_task
from latentdx.collection.units import unit_ids
from latentdx.collection.values import check_values, values_of
from latentdx.core.errors import StopError

Make = Callable[..., CollectionTable]


def ages(table: Make, n_patients: int = 100, **more: object) -> CollectionTable:
    """Two scans a patient, a year between them; every fifth scan without a value."""
    patients = [f"P{index // 2}" for index in range(2 * n_patients)]
    drawn = np.random.default_rng(0).integers(20, 90, n_patients)
    labels = [
        None if index % 5 == 4 else str(drawn[index // 2] + index % 2)
        for index in range(2 * n_patients)
    ]
    return table(labels, patients=patients, **more)


def test_parts_share_no_patient_and_have_the_same_spread(table: Make) -> None:
    scans = ages(table, 300)
    split = split_by_value(scans, seed=0)
    units = unit_ids(scans)
    held = [set(units[split.rows(part)]) for part in LABELLED_PARTS]
    assert sum(map(len, held)) == len(set.union(*held))
    found = [values_of(scans.label[split.rows(part)].tolist()) for part in LABELLED_PARTS]
    everything = values_of(scans.label[scans.is_labelled].tolist())
    for values in found:
        assert abs(values.mean() - everything.mean()) < 6
        assert 0.75 < values.std() / everything.std() < 1.25
    assert not np.isnan(np.concatenate(found)).any()
    shares = [len(each) / len(everything) for each in found]
    np.testing.assert_allclose(shares, [0.6, 0.1, 0.1, 0.2], atol=0.03)


def test_the_split_is_of_its_values_seed_and_nothing_else(table: Make) -> None:
    scans = ages(table)
    split = split_by_value(scans, seed=0)
    split.check(scans)
    assert split.hash == split_by_value(scans, seed=0).hash
    assert split.hash != split_by_value(scans, seed=1).hash
    backwards = np.arange(len(scans))[::-1]
    turned = split_by_value(scans.take(backwards), seed=0)
    np.testing.assert_array_equal(turned.parts, split.parts[backwards])


def test_given_parts_are_honoured_though_they_lack_a_fifth(table: Make) -> None:
    """The given test part holds one patient: no fifth but one can be in it."""
    parts = ["test" if index < 2 else None for index in range(200)]
    scans = ages(table, parts=parts)
    split = split_by_value(scans, seed=0)
    assert split.rows("test").tolist() == [0, 1]
    assert all(len(split.rows(part)) for part in LABELLED_PARTS)


def test_few_labels_are_drawn_from_train_over_the_whole_range(table: Make) -> None:
    scans = ages(table, 300)
    few = split_by_value(scans, seed=0, labelled=20)
    train = few.rows("train")
    assert len(train) == 20
    assert set(train) <= set(split_by_value(scans, seed=0).rows("train"))
    assert np.ptp(values_of(scans.label[train].tolist())) > 45


@pytest.mark.parametrize(("n_patients", "works"), [(19, False), (20, True)])
def test_twenty_patients_are_needed(table: Make, n_patients: int, works: bool) -> None:
    scans = ages(table, n_patients)
    if works:
        split_by_value(scans, seed=0)
        return
    with pytest.raises(StopError, match="E_TOO_FEW"):
        split_by_value(scans, seed=0)


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ([None, None], "E_NO_LABELS"),
        (["61", "sixty"], "E_TASK"),
        (["61", "inf"], "E_TASK"),
        (["61", "61,5"], "E_TASK"),
        (["61", "61.0"], "E_TOO_FEW"),
    ],
)
def test_what_is_no_number_to_learn(labels: list[str | None], code: str) -> None:
    with pytest.raises(StopError, match=code):
        check_values(labels)


def test_patients_with_a_value_are_counted() -> None:
    labels = [str(index) if index < 22 else None for index in range(30)]
    patients = [f"P{index}" for index in range(30)]
    assert check_values(labels, patients=patients) == labels
    with pytest.raises(StopError, match="E_TOO_FEW"):
        check_values(labels, patients=["P"] * 30)


def test_many_numbers_must_be_said_to_be_numbers_or_names() -> None:
    numbers = [str(index) for index in range(21)]
    with pytest.raises(StopError, match="E_TASK") as caught:
        resolve_task(numbers)
    assert "--task regression" in caught.value.fix
    assert resolve_task(numbers, "classes") == "classes"
    assert resolve_task(numbers, "regression") == "regression"
    assert resolve_task(numbers[1:]) == "classes"
    assert resolve_task([f"T{number}" for number in numbers]) == "classes"


def test_the_audit_says_nothing_of_classes(table: Make) -> None:
    scans = ages(table)
    codes = {item.code for item in audit(scans).findings}
    assert "small-class" in codes
    assert "small-class" not in {item.code for item in audit(scans).of_values().findings}


def test_grades_are_ordered_by_value_or_as_told() -> None:
    assert order_grades(["4", "0", "10", "2"]) == ["0", "2", "4", "10"]
    assert order_grades(["a", "c", "b"], ["c", "a", "b"]) == ["c", "a", "b"]
    assert order_grades(["1", "2", "3"], ["3", "2", "1"]) == ["3", "2", "1"]
    for names, order, code in (
        (["0", "1"], [], "E_TASK"),
        (["mild", "no", "much"], [], "E_TASK"),
        (["0", "1", "2"], ["0", "1", "3"], "E_OPTION"),
        (["0", "1", "2"], ["0", "1", "2", "2"], "E_OPTION"),
    ):
        with pytest.raises(StopError, match=code):
            order_grades(names, order)


def test_valued_scans_keep_their_values() -> None:
    parts = np.array(["train", "test", "train"])
    ids = np.array(["a", "b", "c"])
    pixels = np.zeros((3, 1, 8, 8), np.float32)
    scans = LabelledScans(pixels, np.full(3, -1), ids, ids, parts, (), "s")
    valued = ValuedScans(scans, np.array([1.0, 2.0, 3.0]))
    assert valued.part("train").values.tolist() == [1.0, 3.0]
    assert valued.part("train").scans.scan_ids.tolist() == ["a", "c"]
    assert len(valued) == 3
