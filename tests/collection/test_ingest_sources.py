"""Sources of every kind: sizes, arrays, collections, DICOM files, more scans without labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ingest_calls import ONE_EACH, Png, Settings, dicom
from PIL import Image

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError

pytestmark = pytest.mark.usefixtures("quick_decoding")


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
