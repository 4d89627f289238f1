"""The split: no patient and no picture in two parts, every class in each, nothing by accident."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from latentdx.collection.split import LABELLED_PARTS, Split, split_by_patient
from latentdx.collection.table import CollectionTable, ScanRow, table_of
from latentdx.collection.units import unit_ids
from latentdx.core.errors import IntegrityError, LeakageError, StopError

Make = Callable[..., CollectionTable]


def classes_by_part(table: CollectionTable, split: Split) -> dict[str, set[str]]:
    return {part: set(table.label[split.rows(part)].tolist()) for part in LABELLED_PARTS}


def cohort(table: Make, n_patients: int = 100, **options: list[object]) -> CollectionTable:
    """Two scans a patient, every fifth patient positive."""
    patients = [f"P{index // 2}" for index in range(2 * n_patients)]
    labels = ["yes" if index // 2 % 5 == 0 else "no" for index in range(2 * n_patients)]
    return table(labels, patients=patients, **options)


def test_fractions_hold_in_each_class(table: Make) -> None:
    scans = cohort(table)
    split = split_by_patient(scans, seed=0)
    for label, n in (("yes", 20), ("no", 80)):
        counts = [
            int((scans.label[split.rows(part)] == label).sum()) / 2 for part in LABELLED_PARTS
        ]
        assert counts == [0.6 * n, 0.1 * n, 0.1 * n, 0.2 * n]


def test_the_seed_decides_and_nothing_else(table: Make) -> None:
    scans = cohort(table)
    split = split_by_patient(scans, seed=0)
    assert split.hash == split_by_patient(scans, seed=0).hash
    assert split.hash != split_by_patient(scans, seed=1).hash
    backwards = np.arange(len(scans))[::-1]
    turned = split_by_patient(scans.take(backwards), seed=0)
    np.testing.assert_array_equal(turned.parts, split.parts[backwards])
    renamed = replace(scans, patient=np.array([f"{hash(p)}" for p in scans.patient.tolist()]))
    np.testing.assert_array_equal(split_by_patient(renamed, seed=0).parts, split.parts)


def test_without_labels_what_the_source_holds_out_is_not_pretrained_on(table: Make) -> None:
    scans = table([None] * 4, patients=["a", "a", "b", "c"], parts=["test", None, "train", "val"])
    split = Split.for_pretraining(scans)
    assert split.parts.tolist() == ["excluded", "excluded", "pretrain", "excluded"]


def test_the_hash_is_of_the_contents(table: Make) -> None:
    scans = cohort(table)
    split = split_by_patient(scans, seed=0)
    again = Split.from_json(split.as_json())
    again.check(scans)
    assert again.hash == split.hash
    relabelled = replace(scans, label=np.where(scans.label == "no", "none", scans.label))
    for other in (relabelled, scans.take(np.arange(3))):
        with pytest.raises(IntegrityError, match="E_SPLIT"):
            split.check(other)
    with pytest.raises(IntegrityError, match="E_SPLIT"):
        Split.from_json({"hash": "", "parts": ["train", "valid"]})


def test_identical_pictures_stay_together(table: Make) -> None:
    pictures: list[object] = [index // 4 for index in range(200)]  # patients in pairs
    scans = cohort(table, pictures=pictures)
    split = split_by_patient(scans, seed=0)
    for picture in range(50):
        assert len(set(split.parts[4 * picture : 4 * picture + 4].tolist())) == 1


def test_four_patients_of_a_class_serve_all_parts_and_three_do_not(table: Make) -> None:
    labels = ["no"] * 20 + ["yes"] * 4
    split = split_by_patient(table(labels), seed=0)
    assert sorted(split.parts[20:]) == sorted(LABELLED_PARTS)
    with pytest.raises(StopError, match=r"E_CLASS_SIZE.*'yes' has 3 patients"):
        split_by_patient(table(labels[:-1]), seed=0)


def test_patients_of_two_classes_bring_both(table: Make) -> None:
    labels = ["no", "yes"] * 6 + ["no"] * 1
    patients = [f"P{index // 2}" for index in range(13)]
    scans = table(labels, patients=patients)
    split = split_by_patient(scans, seed=3)
    assert set(map(frozenset, classes_by_part(scans, split).values())) == {frozenset({"no", "yes"})}


def test_unlabelled_scans_train_the_encoder_unless_held_out(table: Make) -> None:
    labels = ["no", "yes"] * 20 + [None] * 40
    patients = [f"P{index}" for index in range(40)] * 2
    more = table(
        [*labels, None], patients=[*patients, None], pretrain_only=[False] * 60 + [True] * 21
    )
    split = split_by_patient(more, seed=0)
    for index in range(40):
        expected = "pretrain" if split.parts[index] == "train" else "excluded"
        assert split.parts[40 + index] == expected
    assert split.parts[80] == "pretrain"


def test_labels_of_pretrain_only_scans_count_for_nothing(table: Make) -> None:
    labels = ["no", "yes"] * 10 + ["other"] * 5
    scans = table(labels, pretrain_only=[False] * 20 + [True] * 5)
    assert set(split_by_patient(scans, seed=0).parts[20:].tolist()) == {"pretrain"}


def test_given_val_becomes_tune_and_calibrate(table: Make) -> None:
    parts = (["train"] * 60 + ["val"] * 20 + ["test"] * 20) * 2
    scans = table(["no"] * 100 + ["yes"] * 100, parts=parts)
    split = split_by_patient(scans, seed=0)
    np.testing.assert_array_equal(split.parts == "train", scans.given_part == "train")
    np.testing.assert_array_equal(split.parts == "test", scans.given_part == "test")
    for label in ("no", "yes"):
        counts = [int((scans.label[split.rows(p)] == label).sum()) for p in ("tune", "calibrate")]
        assert counts == [10, 10]


def test_parts_not_given_are_drawn_from_train(table: Make) -> None:
    labels = (["no"] * 50 + ["yes"] * 50) * 2
    with_test = split_by_patient(table(labels, parts=["train"] * 100 + ["test"] * 100), seed=0)
    assert with_test.counts() == {
        **{"train": 80, "tune": 10, "calibrate": 10, "test": 100},
        **{"pretrain": 0, "excluded": 0},
    }
    assert set(with_test.parts[100:].tolist()) == {"test"}
    with_val = split_by_patient(table(labels, parts=["train"] * 100 + ["val"] * 100), seed=0)
    assert [with_val.counts()[part] for part in LABELLED_PARTS] == [80, 50, 50, 20]
    given = [*LABELLED_PARTS] * 50
    labels = ["no"] * 100 + ["yes"] * 100
    assert split_by_patient(table(labels, parts=given), seed=0).parts.tolist() == given


def test_a_class_that_val_lacks_comes_from_train(table: Make) -> None:
    labels = ["no", "yes"] * 20 + ["no"] * 10 + ["no", "yes"] * 4
    parts = ["train"] * 40 + ["val"] * 10 + ["test"] * 8
    scans = table(labels, parts=parts)
    assert classes_by_part(scans, split_by_patient(scans, seed=0))["tune"] == {"no", "yes"}


def test_a_given_test_without_a_class_stops(table: Make) -> None:
    scans = table(["no", "yes"] * 20 + ["no"] * 9, parts=["train"] * 40 + ["test"] * 9)
    with pytest.raises(StopError, match=r"E_CLASS_SIZE.*'yes'.*none is left for test"):
        split_by_patient(scans, seed=0)


def test_a_unit_in_train_and_val_trains_as_a_whole(table: Make) -> None:
    labels = ["no", "yes"] * 30
    parts = ["train"] * 40 + ["val"] * 10 + ["test"] * 10
    patients = [f"P{index}" for index in range(60)]
    patients[40] = "P0"
    split = split_by_patient(table(labels, parts=parts, patients=patients), seed=0)
    assert (split.parts[0], split.parts[40]) == ("train", "train")


@pytest.fixture
def leaking(table: Make) -> CollectionTable:
    """Patient P0 in train and test, one picture in val and test, and an unlabelled scan of P0."""
    labels = ["no", "yes"] * 40 + [None]
    parts = ["train"] * 50 + ["val"] * 10 + ["test"] * 20 + [None]
    patients = [f"P{index}" for index in range(60)] + ["P0"] + [f"Q{i}" for i in range(19)] + ["P0"]
    pictures: list[object] = [*range(61), 55, *range(62, 81)]
    return table(labels, parts=parts, patients=patients, pictures=pictures)


def test_shared_patients_and_pictures_stop_the_run(leaking: CollectionTable) -> None:
    with pytest.raises(LeakageError) as caught:
        split_by_patient(leaking, seed=0)
    assert caught.value.code == "E_LEAKAGE"
    assert "1 patients and 1 identical pictures" in caught.value.found
    assert "60.png and 0.png; 61.png and 55.png" in caught.value.found
    assert "--overlap drop" in caught.value.fix


def test_overlap_can_be_dropped(leaking: CollectionTable) -> None:
    split = split_by_patient(leaking, seed=0, overlap="drop")
    assert set(split.parts[60:80].tolist()) == {"test"}
    assert [split.parts[index] for index in (0, 55, 80)] == ["excluded"] * 3
    units = unit_ids(leaking)
    tested = np.isin(units, units[split.rows("test")])
    assert set(split.parts[tested].tolist()) == {"test", "excluded"}


def test_overlap_can_be_allowed(leaking: CollectionTable) -> None:
    split = split_by_patient(leaking, seed=0, overlap="allow")
    assert split.parts[0] == "train"
    assert split.parts[55] in ("tune", "calibrate")
    assert (split.parts[60], split.parts[61], split.parts[80]) == ("test", "test", "excluded")


@pytest.mark.parametrize("labelled", [2, 7, 10, 60])
def test_few_labels_are_drawn_by_patient(table: Make, labelled: int) -> None:
    scans = cohort(table)
    whole = split_by_patient(scans, seed=0)
    split = split_by_patient(scans, seed=0, labelled=labelled)
    rows = split.rows("train")
    assert len(rows) == labelled
    assert set(scans.label[rows].tolist()) == {"no", "yes"}
    # Whole patients, but for the last of each class.
    assert len(set(scans.patient[rows].tolist())) <= (labelled + 2) / 2
    np.testing.assert_array_equal(
        np.isin(split.parts, ("train", "pretrain")), whole.parts == "train"
    )
    np.testing.assert_array_equal(split.rows("test"), whole.rows("test"))


def test_more_labels_than_there_are_or_fewer_than_classes(table: Make) -> None:
    scans = cohort(table)
    whole = split_by_patient(scans, seed=0)
    assert split_by_patient(scans, seed=0, labelled=10**6).hash == whole.hash
    with pytest.raises(StopError, match="E_LABELLED"):
        split_by_patient(scans, seed=0, labelled=1)


def test_bad_fractions_and_no_labels(table: Make) -> None:
    with pytest.raises(StopError, match="E_FRACTIONS"):
        split_by_patient(cohort(table), seed=0, fractions=(0.6, 0.1, 0.1, 0.3))
    with pytest.raises(StopError, match="E_NO_LABELS"):
        split_by_patient(table([None, None]), seed=0)


def row(index: int, drawn: tuple[str | None, int, int, str | None]) -> ScanRow:
    label, patient, picture, part = drawn
    return ScanRow(
        f"{index:016x}",
        f"{index}.png",
        np.zeros((1, 1, 1), np.float32),
        f"picture {picture}",
        label=label,
        patient=f"patient {patient}" if patient else None,
        given_part=part,
    )


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["no", "yes", None]),
        st.integers(0, 60),
        st.integers(0, 150),
        st.sampled_from([None, None, "train", "val", "tune", "test"]),
    ),
    min_size=40,
    max_size=120,
)


@settings(deadline=None)  # the machine may be busy
@given(ROWS, st.integers(0, 5), st.sampled_from([None, 5]))
def test_no_unit_is_ever_in_two_parts(
    rows: list[tuple[str | None, int, int, str | None]], seed: int, labelled: int | None
) -> None:
    table = table_of(row(index, drawn) for index, drawn in enumerate(rows))
    try:
        split = split_by_patient(table, seed=seed, overlap="drop", labelled=labelled)
    except StopError as error:
        event(error.code)
        assert error.code in ("E_CLASS_SIZE", "E_NO_LABELS")  # noqa: PT017
        return
    parts = np.where(split.parts == "pretrain", "train", split.parts)
    for names in (table.patient, table.content_hash):
        for name in set(names.tolist()) - {""}:
            assert len(set(parts[names == name].tolist()) - {"excluded"}) <= 1
    assert all(classes == set(table.classes) for classes in classes_by_part(table, split).values())
    tested = table.is_labelled & (table.given_part == "test")
    assert set(split.parts[tested].tolist()) <= {"test"}
