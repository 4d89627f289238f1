"""What an ingest makes of folders and tables, and what it asks before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ingest_calls import ONE_EACH, Settings
from PIL import Image

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.split import split_by_patient
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError

pytestmark = pytest.mark.usefixtures("quick_decoding")


def test_a_folder_of_classes(folder: Path, run: Callable[..., IngestReport]) -> None:
    report = run(folder, patient_pattern=r"p\d+")
    assert (report.n_scans, report.n_labelled, report.n_patients) == (12, 12, 12)
    assert (report.size, report.channels, report.quarantine) == (24, 1, ())
    collection = Collection.open(report.path)
    table = collection.metadata()
    assert table.path.tolist() == sorted(table.path.tolist())
    assert table.label.tolist() == ["no"] * 6 + ["yes"] * 6
    assert table.native_shape[0].tolist() == [20, 24]
    assert table.conversions[0] == ("padded to 24x24",)
    assert len(set(table.scan_id.tolist())) == 12
    picture = np.asarray(Image.open(folder / "no" / "p00.png"), np.float32) / np.float32(255)
    np.testing.assert_array_equal(collection.pixels([0])[0, 0, 2:22], picture)


def test_patients_become_pseudonyms(folder: Path, run: Callable[..., IngestReport]) -> None:
    report = run(folder, patient_pattern=r"(?:no|yes)/(p\d)", for_training=False)
    table = Collection.open(report.path).metadata()
    assert report.n_patients == 2  # p0 and p1
    assert all(len(name) == 16 and not name.startswith("p") for name in table.patient.tolist())


def test_the_key_changes_no_result(folder: Path, settings: Settings, tmp_path: Path) -> None:
    for name in "ab":
        options = {"patient_pattern": r"p\d+", "key": name.encode() * 32}
        ingest([folder], tmp_path / name, settings(**options))
    first, second = (Collection.open(tmp_path / name) for name in "ab")
    assert first.metadata().patient.tolist() != second.metadata().patient.tolist()
    assert first.fingerprint() == second.fingerprint()
    splits = [split_by_patient(c.metadata(), seed=0) for c in (first, second)]
    assert splits[0].hash == splits[1].hash


def test_a_table_tells_everything(folder: Path, run: Callable[..., IngestReport]) -> None:
    csv = folder.parent / "t.csv"
    lines = ["path,label,patient_id,study_id,site,part,age"]
    lines += [f"no/p{2 * i:02}.png,well,{i},s{i},north,test,{30 + i}" for i in range(5)]
    lines += [f"yes/p{2 * i + 1:02}.png,ill,{i + 10},,,,{30 + i}" for i in range(5)]
    csv.write_text("\n".join([*lines, "no/absent.png,well,99,,,,1"]))
    report = run(folder, labels=csv)
    table = Collection.open(report.path).metadata()
    assert (report.n_scans, report.n_labelled) == (12, 10)
    assert set(table.label.tolist()) == {"well", "ill", ""}
    assert (table.site[0], table.given_part[0], table.covariates[0]) == (
        "north",
        "test",
        {"age": "30"},
    )
    assert len(table.study[0]) == 16
    assert [(item.path, item.code) for item in report.quarantine] == [
        ("no/absent.png", "E_MISSING_FILE")
    ]
    assert "2 scans are not in t.csv" in report.notes


def test_a_table_without_labels_leaves_the_classes_to_the_folders(
    folder: Path, run: Callable[..., IngestReport]
) -> None:
    csv = folder.parent / "t.csv"
    names = [f"{('no', 'yes')[i % 2]}/p{i:02}.png,{i}" for i in range(12)]
    csv.write_text("\n".join(["path,patient_id", *names]))
    assert run(folder, labels=csv).n_labelled == 12


def test_a_table_of_another_folder(folder: Path, refuse: Callable[..., StopError]) -> None:
    csv = folder.parent / "t.csv"
    csv.write_text("path,label\nelsewhere/1.png,no\n")
    error = refuse(folder, labels=csv)
    assert (error.code, "elsewhere/1.png" in error.found) == ("E_CSV", True)


def test_labels_and_patients_are_checked_before_anything_is_decoded(
    folder: Path, refuse: Callable[..., StopError], decoded: list[str]
) -> None:
    error = refuse(folder)
    assert error.code == "E_PATIENT"
    assert "12 of 12" in error.found
    assert "no/p00.png" in error.found
    for way in ("--labels", "--patient-pattern", "--one-scan-per-patient"):
        assert way in error.fix
    assert "does not match" in refuse(folder, patient_pattern="q").found
    assert refuse(folder, patient_pattern="(").code == "E_PATTERN"
    assert refuse(folder, label_map={"yes": "no"}, **ONE_EACH).code == "E_ONE_CLASS"
    assert refuse(folder / "no", **ONE_EACH).code == "E_NO_LABELS"
    assert refuse(folder, patient_pattern="(?:no|yes)/p(0|1)").code == "E_CLASS_SIZE"
    (folder / "metadata.csv").write_text("file,patient_id\n")
    assert f"--labels {folder / 'metadata.csv'}" in refuse(folder).fix
    assert decoded == []


def test_labels_are_not_needed_to_store(folder: Path, run: Callable[..., IngestReport]) -> None:
    report = run(folder / "no", for_training=False)
    assert (report.n_scans, report.n_labelled, report.n_patients) == (6, 0, 6)


def test_a_broken_file_is_set_aside(
    folder: Path, run: Callable[..., IngestReport], settings: Settings
) -> None:
    (folder / "no" / "empty.png").write_bytes(b"")
    (folder / "no" / "text.png").write_bytes(b"words")
    report = run(folder, **ONE_EACH)
    assert report.n_scans == 12
    assert {item.path: item.code for item in report.quarantine} == {
        "no/empty.png": "E_EMPTY",
        "no/text.png": "E_FORMAT",
    }
    with pytest.raises(StopError, match="E_EMPTY"):
        ingest([folder], folder.parent / "strict", settings(strict=True, **ONE_EACH))


def test_nothing_usable(tmp_path: Path, refuse: Callable[..., StopError]) -> None:
    for index in range(8):
        path = tmp_path / "in" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"words")
    error = refuse(tmp_path / "in", **ONE_EACH)
    assert error.code == "E_NOTHING_USABLE"
    assert "8 times E_FORMAT" in error.found
    assert "a/0.png" in error.found
