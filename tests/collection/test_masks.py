"""Masks from a table to a collection: which scans have one, what it does, and what is set aside."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.plan import IngestSettings
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.features.probe_region import outside_region
from latentdx.scans.policy import Policy

SIDE = 32


def noisy(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(1, 255, (SIDE, SIDE)).astype(np.uint8)
    Image.fromarray(values).save(path)
    return path


def box_mask(path: Path, at: int, side: int = SIDE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((side, side), np.uint8)
    mask[at : at + 10, 8:24] = 255
    Image.fromarray(mask).save(path)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six scans and their masks in one folder, of which one is too small and one is not there."""
    rows = []
    for number in range(6):
        noisy(tmp_path / "s" / f"p{number}.png", number)
        mask = f"masks/p{number}.png" if number != 5 else ""
        if number not in (4, 5):
            box_mask(tmp_path / "s" / mask, number, SIDE - (number == 3))
        rows.append((f"p{number}.png", "ab"[number % 2], f"p{number}", mask))
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "patient_id", "mask"), *rows])
    return tmp_path / "s"


def stored(source: Path, region: Any = "mask", *, to: str = "c", **options: Any) -> IngestReport:
    settings = IngestSettings(
        labels=source.parent / "labels.csv",
        size=16,
        policy=Policy(region=region),
        for_training=False,
        workers=1,
        may_update=True,
        key=b"k" * 32,
    )
    return ingest([source], source.parent / to, replace(settings, **options))


def test_scans_are_cropped_to_their_masks_and_masks_are_no_scans(source: Path) -> None:
    report = stored(source)
    found = Collection.open(report.path)
    table = found.metadata()
    paths = table.path.tolist()
    assert sorted(paths) == ["p0.png", "p1.png", "p2.png", "p5.png"]
    assert {item.path: item.code for item in report.quarantine} == {
        "p3.png": "E_MASK",
        "p4.png": "E_MASK",
    }
    assert "its mask has 31 x 31 pixels, and the scan 32 x 32" in report.quarantine[0].text
    assert "1 of 6 scans have no mask, and stay whole" in report.notes
    assert report.warnings == {"W_NO_MASK": 1}
    assert "cropped to the mask: 1:13 of 32, 7:25 of 32" in table.conversions[paths.index("p2.png")]
    assert all("mask" not in told for told in table.covariates)
    masks = found.masks(np.arange(len(found)))
    assert [bool(mask.any()) for mask in masks] == [path != "p5.png" for path in paths]
    assert found.rows([table.scan_id[0]])[0].mask is not None


def test_without_a_region_masks_are_left_alone(source: Path) -> None:
    report = stored(source, region=None)
    assert (report.n_scans, report.quarantine) == (6, ())
    assert not Collection.open(report.path).has_masks


def test_masks_are_kept_though_nothing_is_cropped(source: Path) -> None:
    report = stored(source, region=None, masks=True)
    found = Collection.open(report.path)
    table = found.metadata()
    assert sorted(table.path.tolist()) == ["p0.png", "p1.png", "p2.png", "p5.png"]
    assert sorted(item.code for item in report.quarantine) == ["E_MASK", "E_MASK"]
    assert "5 of 6 scans have a mask" in report.notes
    assert report.warnings == {}
    assert not any("cropped" in done for each in table.conversions for done in each)
    whole = Collection.open(stored(source, None, to="whole").path)
    pixels = dict(zip(whole.metadata().path.tolist(), whole.pixels(), strict=True))
    masks = dict(zip(table.path.tolist(), found.masks(np.arange(len(found))), strict=True))
    for path, image in zip(table.path.tolist(), found.pixels(), strict=True):
        assert np.array_equal(image, pixels[path])
    expected = np.zeros((16, 16), bool)
    expected[1:6, 4:12] = True  # rows 2 to 12 and columns 8 to 24 of 32, halved
    assert np.array_equal(masks["p2.png"], expected)
    assert not masks["p5.png"].any()


def test_a_collection_without_masks_does_not_lose_them_silently(source: Path) -> None:
    stored(source, region=None)
    for options in ({"region": "mask"}, {"region": None, "masks": True}):
        with pytest.raises(StopError, match="stored without masks") as caught:
            stored(source, **options)
        assert caught.value.code == "E_DESTINATION"


def test_no_measure_is_taken_by_a_mask_that_is_only_kept(source: Path) -> None:
    """At prediction it would not be there."""
    policy = Policy(measures=True)
    kept = Collection.open(stored(source, masks=True, policy=policy).path).metadata()
    plain = Collection.open(stored(source, policy=policy, to="plain").path).metadata()
    told = dict(zip(plain.path.tolist(), plain.covariates, strict=True))
    assert kept.covariates[0]["picture_share"]
    for path, covariates in zip(kept.path.tolist(), kept.covariates, strict=True):
        assert covariates == told[path]


def test_a_new_mask_is_read_and_nothing_else(source: Path) -> None:
    first = stored(source)
    assert stored(source).n_reused == first.n_scans
    box_mask(source / "masks" / "p2.png", 20)
    box_mask(source / "masks" / "p4.png", 4)
    report = stored(source)
    assert (report.n_scans, report.n_reused) == (5, 3)
    table = Collection.open(report.path).metadata()
    done = table.conversions[table.path.tolist().index("p2.png")]
    assert "cropped to the mask: 19:31 of 32, 7:25 of 32" in done


def test_the_same_file_under_another_mask_is_another_scan(source: Path) -> None:
    stored(source)
    os.link(source / "p0.png", source / "p6.png")
    box_mask(source / "masks" / "p6.png", 18)
    with (source.parent / "labels.csv").open("a") as file:
        file.write("p6.png,a,p6,masks/p6.png\r\n")
    table = Collection.open(stored(source).path).metadata()
    by_path = dict(zip(table.path.tolist(), table.conversions, strict=True))
    assert by_path["p6.png"] != by_path["p0.png"]


def test_masks_go_from_collection_to_collection(source: Path, tmp_path: Path) -> None:
    report = stored(source)
    settings = IngestSettings(size=16, for_training=False, workers=1, key=b"k" * 32)
    copy = Collection.open(ingest([report.path], tmp_path / "copy", settings).path)
    original = Collection.open(report.path)
    assert copy.has_masks
    for first, second in zip(copy.masks(np.arange(4)), original.masks(np.arange(4)), strict=True):
        assert np.array_equal(first, second)


def test_no_mask_at_all_stops(source: Path) -> None:
    with pytest.raises(StopError, match="no scan has a mask"):
        stored(source, labels=None, one_scan_per_patient=True)


def test_the_control_paints_the_masks_over(source: Path) -> None:
    found = Collection.open(stored(source).path)
    rows = np.arange(len(found))
    outside = outside_region(found, rows, "mask").reshape(len(rows), 12, 12)
    whole = found.metadata().path.tolist().index("p5.png")
    assert not outside[whole].any()  # it says nothing
    pixels, masks = found.pixels(rows), found.masks(rows)
    for row in set(rows.tolist()) - {whole}:
        painted = pixels[row].mean(axis=0)
        middle = painted[~masks[row]].mean()
        assert outside[row][5:7, 5:7] == pytest.approx(middle, abs=1e-4)
