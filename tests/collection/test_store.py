"""The collection: exact, checked, and never half."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow, table_of
from latentdx.core.errors import IntegrityError, StopError


def make_rows(count: int, *, channels: int = 1, size: int = 6) -> list[ScanRow]:
    levels = np.random.default_rng(0).integers(0, 256, (count, channels, size, size))
    return [
        ScanRow(
            f"{index:016x}",
            f"a/{index}.png",
            (levels[index] / 255).astype(np.float32),
            f"hash {index}",
            patient=f"P{index // 2}" if index % 5 else None,
            label=("no", "yes", None)[index % 3],
            covariates={"age": str(index)},
            conversions=("resized",),
            native_shape=(10, 12),
            spacing_mm=(0.5, 0.25) if index % 2 else None,
            stamp=f"stamp {index}",
        )
        for index in range(count)
    ]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    collection = Collection.create(tmp_path / "c", size=6, channels=1)
    rows = make_rows(10)
    collection.append(rows[:7])
    collection.append(rows[7:])
    return tmp_path / "c"


def damage(folder: Path) -> None:
    """Flip one bit of the first scan's pixels, where they lie in their file."""
    pixels = np.rint(make_rows(1)[0].pixels * np.float32(65535)).astype("<u2").tobytes()
    for path in (folder / "data").iterdir():
        data = bytearray(path.read_bytes())
        if (place := data.find(pixels)) >= 0:
            data[place + 5] ^= 1
            path.write_bytes(bytes(data))
            return
    raise AssertionError("the pixels lie in no file")


def test_all_comes_back_as_it_went_in(stored: Path) -> None:
    rows, collection = make_rows(10), Collection.open(stored)
    table, expected = collection.metadata(), table_of(rows)
    assert len(collection) == len(table) == 10
    for name in ("scan_id", "path", "patient", "label", "native_shape", "pretrain_only", "source"):
        np.testing.assert_array_equal(getattr(table, name), getattr(expected, name))
    np.testing.assert_array_equal(table.spacing_mm, expected.spacing_mm)
    assert table.covariates == expected.covariates
    assert table.conversions == expected.conversions
    assert (collection.size, collection.channels) == (6, 1)


def test_eight_bit_pixels_are_exact_and_in_order(stored: Path) -> None:
    expected = np.stack([row.pixels for row in make_rows(10)])
    collection = Collection.open(stored)
    np.testing.assert_array_equal(collection.pixels(), expected)
    np.testing.assert_array_equal(collection.pixels([8, 0, 8]), expected[[8, 0, 8]])
    assert collection.pixels([]).shape == (0, 1, 6, 6)


def test_pixels_come_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentdx.collection.store._READ_BYTES", 3 * 2 * 108)
    collection = Collection.create(tmp_path / "c", size=6, channels=3)
    rows = make_rows(10, channels=3)
    collection.append(rows)
    batches = list(collection.batches(np.arange(10)))
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(batches), [row.pixels for row in rows])


def test_the_fingerprint_knows_no_order_and_no_key(tmp_path: Path, stored: Path) -> None:
    rows = [
        replace(row, patient=row.patient and f"other key {row.patient}") for row in make_rows(10)
    ]
    other = Collection.create(tmp_path / "other", size=6, channels=1)
    other.append(rows[::-1])
    assert other.fingerprint() == Collection.open(stored).fingerprint()


@pytest.mark.parametrize(
    "change", [{"label": "maybe"}, {"patient": "P9"}, {"given_part": "test"}, {"scan_id": "f" * 16}]
)
def test_the_fingerprint_sees_what_matters(stored: Path, change: dict[str, Any]) -> None:
    rows = make_rows(10)
    changed = table_of([*rows[:3], replace(rows[3], **change), *rows[4:]])
    assert changed.fingerprint() != Collection.open(stored).metadata().fingerprint()


def test_rows_can_be_taken(stored: Path) -> None:
    table = Collection.open(stored).metadata().take([4, 2])
    assert table.path.tolist() == ["a/4.png", "a/2.png"]
    assert table.covariates == ({"age": "4"}, {"age": "2"})
    assert len(table.take(np.array([False, True]))) == 1


def test_missing_and_foreign_folders(tmp_path: Path) -> None:
    (tmp_path / "_versions").mkdir()
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(IntegrityError) as caught:
            Collection.open(path)
        assert (caught.value.code, caught.value.path) == ("E_COLLECTION", str(path))


def test_a_flipped_bit_is_found(stored: Path) -> None:
    damage(stored)
    with pytest.raises(IntegrityError, match="E_COLLECTION"):
        Collection.open(stored).pixels()


def test_missing_data_are_found(stored: Path) -> None:
    for file in (stored / "data").iterdir():
        file.unlink()
    with pytest.raises(IntegrityError, match="E_COLLECTION"):
        Collection.open(stored).metadata()


def test_an_unfinished_collection_is_not_opened(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", size=6, channels=1, complete=False)
    collection.append(make_rows(2))
    with pytest.raises(IntegrityError, match="not finished"):
        Collection.open(tmp_path / "c")
    collection.mark_complete({"notes": ["one"]})
    opened = Collection.open(tmp_path / "c")
    assert (len(opened), opened.info) == (2, {"notes": ["one"]})


def test_a_newer_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentdx.collection.store.SCHEMA_VERSION", 99)
    Collection.create(tmp_path / "c", size=6, channels=1)
    monkeypatch.undo()
    with pytest.raises(IntegrityError, match="update latentdx"):
        Collection.open(tmp_path / "c")


def test_volumes(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).integers(0, 256, (1, 5, 5, 5)) / np.float32(255)
    row = ScanRow(
        "0" * 16,
        "head.nii.gz",
        cube.astype(np.float32),
        "hash",
        native_shape=(9, 8, 7),
        spacing_mm=(1.0, 2.0, 3.0),
        orientation="RAS",
        acquired="2020-01-02",
        warnings=("W_GAP",),
    )
    Collection.create(tmp_path / "c", size=5, channels=1, dims=3).append([row])
    collection = Collection.open(tmp_path / "c")
    assert (collection.dims, collection.shape) == (3, (1, 5, 5, 5))
    np.testing.assert_array_equal(collection.pixels()[0], row.pixels)
    table = collection.metadata()
    assert table.native_shape.tolist() == [[9, 8, 7]]
    assert table.spacing_mm.tolist() == [[1.0, 2.0, 3.0]]
    assert (table.orientation[0], table.acquired[0], table.warnings[0]) == (
        *("RAS", "2020-01-02"),
        ("W_GAP",),
    )


def test_whole_rows_come_back(stored: Path) -> None:
    rows = make_rows(10)
    found = Collection.open(stored).rows([rows[4].scan_id, rows[1].scan_id])
    for row, expected in zip(found, (rows[4], rows[1]), strict=True):
        np.testing.assert_array_equal(row.pixels, expected.pixels)
        assert {**vars(row), "pixels": 0} == {**vars(expected), "pixels": 0}


def test_labels_can_come_later_and_versions_are_kept(stored: Path) -> None:
    collection = Collection.open(stored)
    before, pixels = collection.metadata(), collection.pixels()
    first = collection.versions()[-1]["version"]
    ids = before.scan_id[[2, 5]].tolist()
    collection.update(ids, {"label": ["yes", None], "covariates": [{"age": "9"}, {}]})
    table = Collection.open(stored).metadata()
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    assert [table.label[rows[name]] for name in ids] == ["yes", ""]
    assert [table.covariates[rows[name]] for name in ids] == [{"age": "9"}, {}]
    order = [rows[name] for name in before.scan_id.tolist()]
    np.testing.assert_array_equal(Collection.open(stored).pixels(order), pixels)
    assert Collection.open(stored, version=first).metadata().label.tolist() == before.label.tolist()
    with pytest.raises(IntegrityError, match="E_COLLECTION"):
        Collection.open(stored, version=999)


def test_a_full_disk_keeps_what_is_stored(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = Collection.open(stored)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(collection._dataset), "insert", full)
        with pytest.raises(StopError, match="No space left"):
            collection.append(make_rows(1))
    assert len(Collection.open(stored)) == 10
