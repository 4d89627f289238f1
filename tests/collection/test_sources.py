"""Sources: what is listed, in which order, and what the folders say."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentdx.collection.folders import list_folder
from latentdx.collection.listing import Entry
from latentdx.collection.public_sets import PUBLIC_SETS
from latentdx.collection.sources import list_source
from latentdx.core.errors import StopError

Png = Callable[..., Path]


def refused(source: Path) -> StopError:
    with pytest.raises(StopError) as caught:
        list_source(source)
    return caught.value


def save_npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def test_top_folders_are_parts_and_the_next_ones_classes(tmp_path: Path) -> None:
    for path in ("Train/no/2.png", "Train/no/10.png", "VALIDATION/no/a.png", "test/yes/b.dcm"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"any")
    for index in range(3):
        (tmp_path / "Train" / "no" / f"{index}x").write_bytes(b"any")
        (tmp_path / "test" / "yes" / f"{index}x").write_bytes(b"any")
    entries = list_source(tmp_path).entries
    assert [entry.path for entry in entries] == sorted(entry.path for entry in entries)
    assert Entry("Train/no/10.png", "train", "no") in entries
    assert Entry("VALIDATION/no/a.png", "val", "no") in entries
    assert Entry("test/yes/b.dcm", "test", "yes") in entries


def test_a_file_at_the_top_has_no_class(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"any")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "b.png").write_bytes(b"any")
    assert list_source(tmp_path).entries == (Entry("a.png"), Entry("train/b.png", "train"))


def test_what_is_no_scan_is_counted_and_left_out(tmp_path: Path) -> None:
    for name in (".hidden", "notes.TXT", "labels.csv", "x.json", "README.md", "scan.dcm", "noext"):
        (tmp_path / name).write_bytes(b"any")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    listing = list_source(tmp_path)
    assert [entry.path for entry in listing.entries] == ["noext", "scan.dcm"]
    assert (listing.n_skipped, listing.tables) == (7, ("labels.csv",))


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini"])
def test_what_windows_leaves_behind_is_no_scan(tmp_path: Path, name: str) -> None:
    for each in (name, "a.png"):
        (tmp_path / each).write_bytes(b"any")
    listing = list_source(tmp_path)
    assert ([entry.path for entry in listing.entries], listing.n_skipped) == (["a.png"], 1)


def test_a_name_that_is_no_text_is_told_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"any")
    (tmp_path / os.fsdecode(b"r\xf6ntgen.png")).write_bytes(b"any")
    listing = list_source(tmp_path)
    assert [entry.path for entry in listing.entries] == ["a.png"]
    assert [(error.code, error.path) for error in listing.errors] == [
        ("E_PATH", r"r\udcf6ntgen.png")
    ]
    assert [entry.path for entry in list_folder(tmp_path, any_name=True).entries] == [
        "a.png",
        "r\udcf6ntgen.png",
    ]


@pytest.mark.parametrize("part", ["Training", "testing"])
def test_folders_of_other_usual_names_are_parts(tmp_path: Path, part: str) -> None:
    for index in range(3):
        path = tmp_path / part / "glioma" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"any")
    found = {(entry.part, entry.label) for entry in list_source(tmp_path).entries}
    assert found == {(part.casefold().removesuffix("ing"), "glioma")}


def test_links_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "1.png").write_bytes(b"any")
    (tmp_path / "in" / "a" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "b").symlink_to(tmp_path / "in" / "a")
    (tmp_path / "in" / "file.png").symlink_to(tmp_path / "in" / "a" / "1.png")
    listing = list_source(tmp_path / "in")
    assert [entry.path for entry in listing.entries] == ["a/1.png", "file.png"]


@pytest.mark.parametrize(("n_folders", "n_files"), [(51, 3), (10, 2)])
def test_folders_of_patients_are_no_classes(tmp_path: Path, n_folders: int, n_files: int) -> None:
    for folder in range(n_folders):
        (tmp_path / f"p{folder}").mkdir()
        for index in range(n_files):
            (tmp_path / f"p{folder}" / f"{index}.png").write_bytes(b"any")
    listing = list_source(tmp_path)
    assert {entry.label for entry in listing.entries} == {None}
    assert "one a patient" in listing.notes[0]


def test_an_absent_or_empty_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("absent", "empty"):
        error = refused(tmp_path / name)
        assert (error.code, error.path) == ("E_SOURCE", str(tmp_path / name))


def test_a_single_file_is_a_folder_of_one(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"any")
    (tmp_path / "two.png").write_bytes(b"any")
    listing = list_source(tmp_path / "one.png")
    assert (listing.root, listing.entries) == (tmp_path, (Entry("one.png"),))


def test_npz_in_medmnist_layout(tmp_path: Path) -> None:
    arrays = {
        "train_images": np.zeros((3, 8, 10), np.uint8),
        "train_labels": np.array([[0], [1], [12]]),
        "test_images": np.zeros((1, 8, 10), np.uint8),
    }
    listing = list_source(save_npz(tmp_path / "a.npz", **arrays))
    assert listing.entries == (
        Entry("a.npz#train/0", "train", "0"),
        Entry("a.npz#train/1", "train", "1"),
        Entry("a.npz#train/2", "train", "12"),
        Entry("a.npz#test/0", "test", None),
    )
    assert (listing.side, listing.channels) == (10, 1)


def test_plain_npz_with_colour(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    listing = list_source(save_npz(tmp_path / "a.npz", images=images, labels=np.arange(4)))
    assert listing.entries[3] == Entry("a.npz#images/3", None, "3")
    assert listing.channels == 3
    grey = np.repeat(images[..., :1], 3, axis=3)
    assert list_source(save_npz(tmp_path / "b.npz", images=grey)).channels == 1


IMAGES = np.zeros((4, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"images": IMAGES, "labels": np.full((4, 14), 2)}, "E_FINDINGS"),
        ({"images": IMAGES, "labels": np.zeros((3, 14), int)}, "E_SOURCE"),
        ({"images": IMAGES, "labels": np.zeros((4, 2, 2), int)}, "E_SOURCE"),
        ({"images": np.zeros((4, 8, 8, 8), np.uint8)}, "E_NDIM"),
        ({"images": np.zeros((4, 8, 8, 8, 1), np.uint8)}, "E_NDIM"),
        ({"images": IMAGES, "labels": np.zeros(3, int)}, "E_SOURCE"),
        ({"images": IMAGES, "labels": np.full(4, 0.5)}, "E_SOURCE"),
        ({"pictures": IMAGES}, "E_SOURCE"),
        ({"images": IMAGES, "labels": np.array(["a", "b", "c"])}, "E_SOURCE"),
        ({"images": np.full((4, 8, 8), "a")}, "E_FORMAT"),
        ({"images": IMAGES, "dates": np.zeros(4, "datetime64[D]")}, "E_FORMAT"),
        ({"images": IMAGES, "labels": np.array([{}] * 4, object)}, "E_PICKLE"),
    ],
)
def test_npz_that_cannot_be_used(tmp_path: Path, arrays: dict[str, np.ndarray], code: str) -> None:
    path = save_npz(tmp_path / "a.npz", **arrays)
    error = refused(path)
    assert (error.code, error.path) == (code, str(path))


@pytest.mark.parametrize("kind", ["U", "S"])
def test_npz_whose_labels_are_names_beside_other_text(tmp_path: Path, kind: str) -> None:
    labels = np.array([["well"], ["ill "], [""], ["well"]]).astype(kind)
    path = save_npz(tmp_path / "a.npz", images=IMAGES, labels=labels, info=np.array("made by hand"))
    assert [entry.label for entry in list_source(path).entries] == ["well", "ill", None, "well"]


def test_the_array_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    odd = {"info": np.array([{}], object), "images": IMAGES}
    assert refused(save_npz(tmp_path / "a.npz", **odd)).found.startswith("'info': holds Python")


def test_npz_of_several_findings(tmp_path: Path) -> None:
    labels = np.array([[1, 0, 1], [0, 0, 0], [0, 0, 1], [0, 0, 0]])
    listing = list_source(save_npz(tmp_path / "a.npz", images=IMAGES, labels=labels))
    found = [entry.label for entry in listing.entries]
    assert found == ["finding 0;finding 2", "none", "finding 2", "none"]
    assert listing.notes == ("no scan has finding 1",)


def test_a_public_set_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {f"{part}_labels": np.array([[0], [1]]) for part in ("train", "val", "test")}
    images = {
        f"{part}_images": np.zeros((2, 28, 28), np.uint8) for part in ("train", "val", "test")
    }
    (tmp_path / "medmnist").mkdir()
    path = save_npz(tmp_path / "medmnist" / "pneumoniamnist.npz", **labels, **images)
    monkeypatch.setenv("LATENTDX_CACHE", str(tmp_path))
    with pytest.raises(StopError, match="E_CHECKSUM"):  # it is not the published file
        list_source(Path("medmnist:pneumoniamnist"))
    save_npz(tmp_path / "medmnist" / "pneumoniamnist.npz", **labels, **images)
    known = PUBLIC_SETS["pneumoniamnist"]
    told = replace(known, md5=(hashlib.md5(path.read_bytes()).hexdigest(), *known.md5[1:]))
    monkeypatch.setitem(PUBLIC_SETS, "pneumoniamnist", told)
    listing = list_source(Path("medmnist:pneumoniamnist@28"))
    assert listing.entries[:2] == (
        Entry("pneumoniamnist.npz#train/0", "train", "normal"),
        Entry("pneumoniamnist.npz#train/1", "train", "pneumonia"),
    )
    assert "CC BY 4.0" in listing.notes[-1]
