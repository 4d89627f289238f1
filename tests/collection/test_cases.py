"""Cases: which scans are decided together, and what their labels must be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latentdx.collection.cases import (
    Cases,
    DecideBy,
    case_names,
    case_of,
    require_one_label,
    shown_case,
)
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import CollectionTable, ScanRow, table_of
from latentdx.core.errors import StopError
from latentdx.scans.scan import Scan

ROWS = (
    ("P1", "S1", "no"), ("P2", "S1", "yes"), ("P1", "S1", "no"), ("P1", "S2", "yes"),
    ("P3", None, "no"), ("P3", None, "no"),
)  # fmt: skip


def a_table(rows: tuple[tuple[str | None, str | None, str | None], ...] = ROWS) -> CollectionTable:
    return table_of(
        ScanRow(
            f"{number:016x}", f"{number}.png", np.zeros((1, 1, 1), np.float32), str(number),
            patient=patient, study=study, label=label,
        )
        for number, (patient, study, label) in enumerate(rows)
    )  # fmt: skip


def numbers(by: DecideBy) -> list[int]:
    return Cases.of(case_names(a_table(), by)).number.tolist()


def test_scans_are_together_by_study_or_patient_and_alone_where_nothing_is_known() -> None:
    assert numbers("scan") == [0, 1, 2, 3, 4, 5]
    assert numbers("study") == [0, 1, 0, 2, 3, 4]  # two patients' S1 are two studies
    assert numbers("patient") == [0, 1, 0, 0, 2, 2]


def test_means_and_rows_by_hand() -> None:
    cases = Cases.of(["b", "a", "b", "c"])
    assert cases.number.tolist() == [0, 1, 0, 2]
    assert cases.first.tolist() == [0, 1, 3]
    values = np.array([[1, 8], [5, 0], [2, 9], [7, 7]], np.float32)
    assert cases.mean(values).tolist() == [[1.5, 8.5], [5, 0], [7, 7]]
    assert cases.mean(values).dtype == np.float32
    assert [rows.tolist() for rows in cases.rows()] == [[0, 2], [1], [3]]
    assert Cases.of([]).rows() == []


def test_a_scan_finds_its_case_by_what_its_file_says() -> None:
    scan = Scan(np.zeros((1, 2, 2), np.float32), (2, 2), patient="P1", study="S1")
    table = a_table()
    for by in ("study", "patient"):
        assert case_of(scan, by, "alone") == case_names(table, by)[0]
    silent = replace(scan, patient=None, study=None)
    assert [case_of(silent, by, "alone") for by in ("scan", "study", "patient")] == ["alone"] * 3
    assert case_of(replace(scan, patient=None), "study", "alone") == " S1"
    assert shown_case("P1", "patient") != shown_case("P2", "patient")
    assert "P1" not in shown_case("P1", "patient")


def test_several_labels_in_a_study_or_of_a_patient_are_refused() -> None:
    require_one_label(a_table(), "scan")
    require_one_label(a_table(), "study")
    with pytest.raises(StopError, match="1 of 3 patients have scans of several labels") as caught:
        require_one_label(a_table(), "patient")
    assert caught.value.code == "E_STUDY_LABELS"
    assert "'no' and 'yes'" in caught.value.found
    assert "P1" not in str(caught.value)
    require_one_label(a_table((*ROWS[:3], ("P1", "S1", None))), "patient")


def test_labelled_scans_are_pooled_and_stand_for_their_cases() -> None:
    names = np.array(["a", "b", "a", "a"])
    parts = np.array(["tune", "tune", "tune", "test"])
    scans = LabelledScans(
        np.zeros((4, 1, 2, 2), np.float32), np.array([1, 0, 1, 1]), names, np.arange(4).astype(str),
        parts, ("no", "yes"), "",
    )  # fmt: skip
    scores = np.array([[1.0], [2.0], [5.0], [7.0]])
    assert scans.decided() is scans
    assert scans.pooled(scores) is scores
    joined = replace(scans, cases=names)
    assert joined.decided().scan_ids.tolist() == ["0", "1", "3"]  # parts are not joined
    assert joined.decided().labels.tolist() == [1, 0, 1]
    assert joined.pooled(scores).ravel().tolist() == [3, 2, 7]
    assert joined.take(np.array([3, 1])).cases.tolist() == ["a", "b"]
