"""Ingest: nothing written in vain, nothing lost, nothing decoded twice."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from latentdx.collection import ingest_job as job_module
from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.plan import IngestSettings
from latentdx.collection.split import split_by_patient
from latentdx.collection.store import Collection
from latentdx.core.errors import InputError, LatentdxError, StopError
from latentdx.scans.open import open_scans
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Found, Sandbox

Settings = Callable[..., IngestSettings]
Png = Callable[..., Path]

ONE_EACH = {"one_scan_per_patient": True}


def read_here(
    sandbox: Sandbox, groups: Iterable[Sequence[str]], request: Request, masks: Any = None
) -> Iterator[Found]:
    """`Sandbox.read` without its processes, each of which takes most of a second to start."""
    for paths in groups:
        try:
            scans = open_scans(paths, key=request.key, policy=request.policy)
            yield tuple(request.deliver(scan) for scan in scans)
        except InputError as error:
            yield error


@pytest.fixture(autouse=True)
def quick_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """test_sandbox.py holds the processes to these results; the killed ingest here uses them."""
    monkeypatch.setattr(Sandbox, "read", read_here)


@pytest.fixture
def run(tmp_path: Path, settings: Settings) -> Callable[..., IngestReport]:
    """Ingest one source into ``c``."""
    return lambda source, **options: ingest([source], tmp_path / "c", settings(**options))


@pytest.fixture
def refuse(run: Callable[..., IngestReport], tmp_path: Path) -> Callable[..., StopError]:
    """The error of an ingest that must not have written anything."""

    def refused(source: Path, **options: Any) -> StopError:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StopError) as caught:
            run(source, **options)
        assert sorted(tmp_path.rglob("*")) == before
        return caught.value

    return refused


@pytest.fixture
def decoded(quick_decoding: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are decoded from now on."""
    names: list[str] = []

    def watched(sandbox: Sandbox, groups: Any, request: Request, masks: Any = None) -> Any:
        listed = list(groups)
        names.extend(Path(path).name for paths in listed for path in paths)
        return read_here(sandbox, listed, request)

    monkeypatch.setattr(Sandbox, "read", watched)
    return names


def dicom(path: Path, patient: str) -> Path:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    dataset.PatientID = patient
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
    return path


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


@pytest.mark.parametrize(
    ("picture", "size", "channels"),
    [((9, 8), 16, 1), ((90, 300), 64, 1), ((41, 30), 41, 1), ((20, 20, 3), 20, 3)],
)
def test_size_and_channels_follow_the_data(
    picture: tuple[int, int], size: int, channels: int, tmp_path: Path, settings: Settings, png: Png
) -> None:
    for index in range(3):
        png(tmp_path / "in" / f"{index}.png", index, size=picture)
    report = ingest([tmp_path / "in"], tmp_path / "c", settings(for_training=False))
    assert (report.size, report.channels) == (size, channels)


def test_size_and_channels_can_be_told(tmp_path: Path, settings: Settings, png: Png) -> None:
    png(tmp_path / "in" / "a.png", 0, size=(20, 20, 3))  # type: ignore[arg-type]
    options = {"size": 8, "channels": 1, "for_training": False}
    report = ingest([tmp_path / "in"], tmp_path / "c", settings(**options))
    assert (report.size, report.channels) == (8, 1)


def test_npz(tmp_path: Path, run: Callable[..., IngestReport]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 10, 10), dtype=np.uint8)
    images[11] = images[0]
    labels = np.arange(12)[:, None] % 2
    np.savez(
        tmp_path / "a.npz",
        **{"train_images": images[:8], "train_labels": labels[:8]},
        **{"test_images": images[8:], "test_labels": labels[8:]},
    )
    report = run(tmp_path / "a.npz", **ONE_EACH)
    collection = Collection.open(report.path)
    table = collection.metadata()
    assert table.path[[0, 8]].tolist() == ["a.npz#train/0", "a.npz#test/0"]
    assert table.given_part[[0, 8]].tolist() == ["train", "test"]
    assert table.content_hash[11] == table.content_hash[0]
    np.testing.assert_array_equal(
        collection.pixels()[:, 0], images.astype(np.float32) / np.float32(255)
    )
    assert run(tmp_path / "a.npz", **ONE_EACH).n_reused == 12


def test_a_picture_has_one_hash_in_every_format(
    tmp_path: Path, settings: Settings, png: Png
) -> None:
    png(tmp_path / "in" / "a.png", 1, size=(20, 20))
    values = np.asarray(Image.open(tmp_path / "in" / "a.png"))
    np.savez(tmp_path / "a.npz", images=values[None])
    sources = [tmp_path / "in", tmp_path / "a.npz"]
    ingest(sources, tmp_path / "c", settings(for_training=False))
    table = Collection.open(tmp_path / "c").metadata()
    assert table.content_hash[0] == table.content_hash[1]
    assert table.source.tolist() == [0, 1]


def test_unlabelled_sources_serve_pretraining_only(
    folder: Path, tmp_path: Path, run: Callable[..., IngestReport], png: Png
) -> None:
    png(tmp_path / "more" / "test" / "yes" / "x.png", 100)
    png(tmp_path / "more" / "no" / "p00.png", 0)  # the same path and picture as in the folder
    png(tmp_path / "more" / "no" / "p02.png", 2)
    png(tmp_path / "more" / "no" / "p04.png", 4)
    report = run(folder, unlabelled=(tmp_path / "more",), **ONE_EACH)
    table = Collection.open(report.path).metadata()
    assert (report.n_scans, report.n_labelled) == (16, 12)
    assert table.pretrain_only.tolist() == [False] * 12 + [True] * 4
    assert set(table.label[12:].tolist()) == set(table.given_part[12:].tolist()) == {""}
    assert len(set(table.scan_id.tolist())) == 16


def test_a_collection_is_a_source(
    folder: Path, tmp_path: Path, run: Callable[..., IngestReport], settings: Settings
) -> None:
    run(folder, patient_pattern=r"p\d+")
    ingest([tmp_path / "c"], tmp_path / "copy", settings())
    first, second = Collection.open(tmp_path / "c"), Collection.open(tmp_path / "copy")
    assert second.fingerprint() == first.fingerprint()
    np.testing.assert_array_equal(second.pixels(), first.pixels())
    smaller = ingest([tmp_path / "c"], tmp_path / "small", settings(size=12))
    assert (smaller.size, smaller.n_patients) == (12, 12)


def test_dicom_names_its_patient(tmp_path: Path, run: Callable[..., IngestReport]) -> None:
    for index in range(8):
        dicom(tmp_path / "in" / "ab"[index % 2] / f"{index}.dcm", f"P{index // 2}")
    report = run(tmp_path / "in")
    table = Collection.open(report.path).metadata()
    assert (report.n_scans, report.n_patients) == (8, 4)
    assert set(table.modality.tolist()) == {"CT"}


def test_dicom_without_patients_stops(tmp_path: Path, run: Callable[..., IngestReport]) -> None:
    for index in range(8):
        dicom(tmp_path / "in" / "ab"[index % 2] / f"{index}.dcm", "")
    with pytest.raises(StopError, match=r"E_PATIENT.*8 of 8"):
        run(tmp_path / "in")
    assert run(tmp_path / "in", **ONE_EACH).n_patients == 8


def test_the_same_call_again_decodes_nothing(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str]
) -> None:
    (folder / "no" / "bad.png").write_bytes(b"words")
    first = run(folder, **ONE_EACH)
    version = Collection.open(first.path)._dataset.version
    decoded.clear()
    again = run(folder, **ONE_EACH)
    assert decoded == []
    assert (again.n_reused, again.quarantine) == (12, first.quarantine)
    assert Collection.open(first.path)._dataset.version == version


def test_new_files_are_added_and_changed_ones_refused(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str], png: Png
) -> None:
    run(folder, **ONE_EACH)
    decoded.clear()
    png(folder / "no" / "new.png", 50)
    assert (run(folder, **ONE_EACH).n_scans, decoded) == (13, ["new.png"])
    png(folder / "no" / "new.png", 51, size=(30, 30))
    with pytest.raises(StopError, match=r"E_DESTINATION.*1 of its 13"):
        run(folder, **ONE_EACH)
    with pytest.raises(StopError, match="E_DESTINATION"):
        run(folder, size=40, **ONE_EACH)


UPDATE = {"may_update": True, "for_training": False}


def test_labels_can_be_added_later(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str]
) -> None:
    csv = folder.parent / "t.csv"
    names = [f"{('no', 'yes')[i % 2]}/p{i:02}.png,{i}" for i in range(12)]
    csv.write_text("\n".join(["path,patient_id", *names]))
    first = run(folder, labels=csv, **UPDATE)
    before = Collection.open(first.path)
    decoded.clear()
    rows = [f"{name},{('ill', 'well')[i % 2]},{i}" for i, name in enumerate(names[:10])]
    rows += [f"{name},," for name in names[10:]]
    csv.write_text("\n".join(["path,patient_id,label,age", *rows]))
    second = run(folder, labels=csv, **UPDATE)
    assert decoded == []
    assert (second.n_reused, second.n_updated, second.n_labelled) == (12, 12, 10)
    table = Collection.open(first.path).metadata()
    labels = dict(zip(table.path.tolist(), table.label.tolist(), strict=True))
    assert (labels["no/p00.png"], labels["yes/p01.png"], labels["yes/p11.png"]) == (
        "ill",
        "well",
        "",
    )
    ages = dict(zip(table.path.tolist(), table.covariates, strict=True))
    assert ages["no/p08.png"] == {"age": "8"}
    old = Collection.open(first.path, version=before._dataset.version).metadata()
    assert set(old.label.tolist()) == {"no", "yes"}
    assert run(folder, labels=csv, **UPDATE).n_updated == 0


def test_patients_that_a_table_no_longer_names_are_asked_of_the_files(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str]
) -> None:
    run(folder, patient_pattern=r"p\d+", **UPDATE)
    decoded.clear()
    report = run(folder, one_scan_per_patient=True, **UPDATE)
    assert (len(decoded), report.n_updated) == (0, 12)
    with pytest.raises(StopError, match="E_PATIENT"):
        run(folder, **UPDATE)


def test_changed_files_are_read_again_where_asked(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str], png: Png
) -> None:
    run(folder, **ONE_EACH, **UPDATE)
    decoded.clear()
    png(folder / "no" / "p04.png", 51, size=(24, 24))
    report = run(folder, **ONE_EACH, **UPDATE)
    assert (decoded, report.n_scans, report.n_reused) == (["p04.png"], 12, 11)
    collection = Collection.open(report.path)
    row = collection.metadata().path.tolist().index("no/p04.png")
    picture = np.asarray(Image.open(folder / "no" / "p04.png"), np.float32) / np.float32(255)
    np.testing.assert_array_equal(collection.pixels([row])[0, 0], picture)


def test_the_same_content_is_not_read_twice(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str], png: Png
) -> None:
    first = run(folder, **ONE_EACH, **UPDATE)
    before = Collection.open(first.path).metadata()
    (folder / "no" / "p04.png").rename(folder / "no" / "moved.png")
    shutil.copy(folder / "no" / "p06.png", folder / "yes" / "copy.png")
    decoded.clear()
    report = run(folder, **ONE_EACH, **UPDATE)
    assert (decoded, report.n_scans, report.n_reused) == ([], 13, 13)
    collection = Collection.open(report.path)
    table = collection.metadata()
    rows = {path: index for index, path in enumerate(table.path.tolist())}
    assert "no/p04.png" not in rows
    assert (table.label[rows["yes/copy.png"]], table.label[rows["no/moved.png"]]) == ("yes", "no")
    old = before.path.tolist().index("no/p04.png")
    assert table.content_hash[rows["no/moved.png"]] == before.content_hash[old]
    picture = np.asarray(Image.open(folder / "no" / "p06.png"), np.float32) / np.float32(255)
    found = collection.pixels([rows["yes/copy.png"]])[0, 0]
    np.testing.assert_array_equal(found[2:22], picture)


def test_a_finished_collection_never_loses_scans(
    folder: Path, run: Callable[..., IngestReport], tmp_path: Path, png: Png
) -> None:
    run(folder, **ONE_EACH, **UPDATE)
    png(tmp_path / "other" / "no" / "a.png", 70)
    with pytest.raises(StopError, match=r"E_DESTINATION.*12 of its 12 .* not in these sources"):
        run(tmp_path / "other", **ONE_EACH, **UPDATE)
    with pytest.raises(StopError, match=r"E_DESTINATION.*another key"):
        run(folder, key=b"z" * 32, **ONE_EACH, **UPDATE)
    assert len(Collection.open(tmp_path / "c")) == 12


def test_other_things_at_the_destination_are_left_alone(
    folder: Path, tmp_path: Path, run: Callable[..., IngestReport]
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").write_text("precious")
    with pytest.raises(StopError, match="E_DESTINATION"):
        run(folder, **ONE_EACH)
    assert (tmp_path / "c" / "mine.txt").read_text() == "precious"


def test_a_destination_inside_the_source(folder: Path, settings: Settings) -> None:
    for _ in range(2):
        report = ingest([folder], folder / "stored", settings(**ONE_EACH))
        assert (report.n_scans, report.quarantine) == (12, ())


KILLED = """
import os, signal, sys
from pathlib import Path
from latentdx.collection import ingest as module
from latentdx.collection import ingest_job
from latentdx.collection.plan import IngestSettings

ingest_job._WRITE_SECONDS = 0.0
def progress(done, total):
    if done == 7:
        os.kill(os.getpid(), signal.SIGKILL)
settings = IngestSettings(one_scan_per_patient=True, key=b"k" * 32, workers=1)
module.ingest([Path(sys.argv[1])], Path(sys.argv[2]), settings, progress)
"""


def test_a_killed_ingest_goes_on_where_it_stopped(
    folder: Path, tmp_path: Path, settings: Settings, decoded: list[str]
) -> None:
    arguments = [sys.executable, "-c", KILLED, str(folder), str(tmp_path / "c")]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    with pytest.raises(LatentdxError, match="not finished"):
        Collection.open(tmp_path / "c")
    options = {"key": b"k" * 32, **ONE_EACH}
    report = ingest([folder], tmp_path / "c", settings(**options))
    assert (report.n_reused, report.n_scans) == (7, 12)
    assert decoded == ["p03.png", "p05.png", "p07.png", "p09.png", "p11.png"]
    ingest([folder], tmp_path / "whole", settings(**options))
    resumed, whole = Collection.open(tmp_path / "c"), Collection.open(tmp_path / "whole")
    assert resumed.metadata().scan_id.tolist() == whole.metadata().scan_id.tolist()
    np.testing.assert_array_equal(resumed.pixels(), whole.pixels())
    assert resumed.info == whole.info


CHANGED = """
import os, signal, sys
from pathlib import Path
from latentdx.collection import ingest as module
from latentdx.collection import ingest_job
from latentdx.collection.plan import IngestSettings

ingest_job._WRITE_SECONDS = 0.0
def progress(done, total):
    if done == 10:
        os.kill(os.getpid(), signal.SIGKILL)
settings = IngestSettings(one_scan_per_patient=True, key=b"k" * 32, workers=1, may_update=True,
                          for_training=False)
module.ingest([Path(sys.argv[1])], Path(sys.argv[2]), settings, progress)
"""


def test_a_killed_update_leaves_each_scan_old_or_new(
    folder: Path, tmp_path: Path, settings: Settings, png: Png
) -> None:
    options = {"key": b"k" * 32, **ONE_EACH, **UPDATE}
    ingest([folder], tmp_path / "c", settings(**options))
    before = dict(hashes(tmp_path / "c"))
    for index in range(0, 12, 2):
        png(folder / "no" / f"p{index:02}.png", 100 + index)
    arguments = [sys.executable, "-c", CHANGED, str(folder), str(tmp_path / "c")]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    between = hashes(tmp_path / "c")
    assert sorted(path for path, _ in between) == sorted(before)
    changed = sorted(path for path, content in between if before[path] != content)
    assert changed == [f"no/p{index:02}.png" for index in (0, 2, 4, 6)]
    ingest([folder], tmp_path / "c", settings(**options))
    ingest([folder], tmp_path / "whole", settings(**options))
    assert sorted(hashes(tmp_path / "c")) == sorted(hashes(tmp_path / "whole"))


def hashes(path: Path) -> list[tuple[str, str]]:
    table = Collection.open(path).metadata()
    return list(zip(table.path.tolist(), table.content_hash.tolist(), strict=True))


def test_an_interrupted_ingest_can_be_changed(
    folder: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "_WRITE_SECONDS", 0.0)

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([folder], tmp_path / "c", settings(**ONE_EACH), stop)
    report = ingest([folder], tmp_path / "c", settings(patient_pattern=r"p\d+"))
    assert (report.n_reused, report.n_scans, report.n_patients) == (0, 12, 12)
    patients = Collection.open(tmp_path / "c").metadata().patient.tolist()
    assert not any(name.startswith("scan:") for name in patients)
