"""Volumes, slices, frames and series on their way into a collection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.plan import IngestSettings
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.scans.policy import Policy

KEY = b"a key for tests only".ljust(32)

pytestmark = pytest.mark.slow


def stored(source: Path, to: Path, policy: Policy, **options: Any) -> IngestReport:
    given = {"for_training": False, "one_scan_per_patient": True, "workers": 2, **options}
    return ingest([source], to, IngestSettings(key=KEY, policy=policy, **given))


def write_series(folder: Path, patient: str, n_slices: int, *, step_mm: float = 2.0) -> None:
    """CT slices stored from head to foot under names that sort otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(n_slices):
        ds = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
        ds.PatientID, ds.SeriesInstanceUID = patient, f"1.2.3.{patient}"
        ds.SOPInstanceUID = f"1.2.3.{patient}.{index}"
        ds.ImagePositionPatient = [-20.0, -30.0, 100.0 - step_mm * index]
        values = ds.pixel_array.copy()
        values[:8, :8] = 100 * index
        ds.PixelData = values.tobytes()
        ds.save_as(folder / f"{(7 * index) % n_slices:03}.dcm")


def write_nifti(path: Path, seed: int, shape: tuple[int, ...] = (12, 10, 9)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0])), path)


def test_series_become_volumes_and_keep_their_patients(tmp_path: Path) -> None:
    for number in range(3):
        write_series(tmp_path / "in" / "ab"[number % 2] / str(number), f"{number + 1}", 12)
    report = stored(tmp_path / "in", tmp_path / "c", Policy(dims=3), one_scan_per_patient=False)
    assert (report.n_scans, report.n_patients, report.dims, report.quarantine) == (3, 3, 3, ())
    collection = Collection.open(tmp_path / "c")
    table = collection.metadata()
    assert table.path.tolist() == [f"{'ab'[n % 2]}/{n}/000.dcm" for n in (0, 2, 1)]
    assert table.label.tolist() == ["a", "a", "b"]
    assert table.native_shape.tolist() == [[128, 128, 12]] * 3
    assert set(table.orientation.tolist()) == {"RAS"}
    assert collection.pixels().shape == (3, 1, 32, 32, 32)
    assert any("sorted by position" in text for text in table.conversions[0])
    again = stored(tmp_path / "in", tmp_path / "c", Policy(dims=3), one_scan_per_patient=False)
    assert (again.n_reused, again.n_scans) == (3, 3)


def test_a_table_may_name_a_series_by_its_folder(tmp_path: Path) -> None:
    for number in range(2):
        write_series(tmp_path / "in" / f"s{number}", f"{number + 1}", 4)
    csv = tmp_path / "labels.csv"
    csv.write_text("path,label,patient_id\ns0,ill,A\ns1/002.dcm,well,B\n")
    report = stored(tmp_path / "in", tmp_path / "c", Policy(dims=3), labels=csv)
    table = Collection.open(tmp_path / "c").metadata()
    assert (table.label.tolist(), report.quarantine) == (["ill", "well"], ())


def test_a_broken_slice_costs_its_series_alone(tmp_path: Path) -> None:
    for number in range(2):
        write_series(tmp_path / "in" / f"s{number}", f"{number + 1}", 6)
    broken = tmp_path / "in" / "s0" / "002.dcm"
    broken.write_bytes(broken.read_bytes()[:-5000])
    (tmp_path / "in" / "picture.png").write_bytes(b"")
    report = stored(tmp_path / "in", tmp_path / "c", Policy(dims=3))
    codes = {item.path: item.code for item in report.quarantine}
    # The broken slice is named; without it one slice is missing, which is filled and marked.
    assert codes == {"s0/002.dcm": "E_TRUNCATED", "picture.png": "E_EMPTY"}
    assert report.n_scans == 2
    assert report.warnings.get("W_GAP") == 1


def test_slices_of_volumes_share_their_patient(tmp_path: Path) -> None:
    for number in range(2):
        write_nifti(tmp_path / "in" / f"p{number}.nii.gz", number)
    report = stored(tmp_path / "in", tmp_path / "c", Policy(every=3))
    table = Collection.open(tmp_path / "c").metadata()
    assert (report.n_scans, report.n_patients, report.dims) == (6, 2, 2)
    assert table.path.tolist()[:2] == ["p0.nii.gz#slice/1", "p0.nii.gz#slice/4"]
    assert stored(tmp_path / "in", tmp_path / "c", Policy(every=3)).n_reused == 6


def test_volumes_are_refused_where_images_are_read_and_the_other_way_round(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in" / "a.nii.gz", 0)
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "in" / "b.png")
    for policy, path in ((Policy(), "a.nii.gz"), (Policy(dims=3), "b.png")):
        report = stored(tmp_path / "in", tmp_path / f"c{policy.dims}", policy)
        assert [(item.path, item.code) for item in report.quarantine] == [(path, "E_NDIM")]


def test_frames_of_one_file(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pages = [Image.fromarray(generator.integers(0, 256, (20, 20), np.uint8)) for _ in range(4)]
    pages[2] = Image.new("L", (20, 20), 7)  # a constant page is refused, the others are kept
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    policy = Policy(frames="each", gate=True)
    report = stored(tmp_path / "in", tmp_path / "c", policy)
    table = Collection.open(tmp_path / "c").metadata()
    assert table.path.tolist() == [f"a.tif#page/{index}" for index in (0, 1, 3)]
    assert len(set(table.patient.tolist())) == 1
    assert [(item.path, item.code) for item in report.quarantine] == [
        ("a.tif#page/2", "E_CONSTANT")
    ]
    assert stored(tmp_path / "in", tmp_path / "c", policy).quarantine == report.quarantine


def test_volumes_of_an_npz(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 9), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=np.array([0, 1, 0, 1]))
    with pytest.raises(StopError, match=r"E_NDIM.*--dims 3"):
        stored(tmp_path / "a.npz", tmp_path / "c", Policy())
    stored(tmp_path / "a.npz", tmp_path / "c", Policy(dims=3))
    collection = Collection.open(tmp_path / "c")
    assert (collection.dims, collection.size, len(collection)) == (3, 9, 4)
    assert collection.metadata().label.tolist() == ["0", "1", "0", "1"]


def test_a_stated_spacing_is_kept(tmp_path: Path) -> None:
    write_nifti(tmp_path / "in" / "a.nii.gz", 0, (20, 18, 10))
    policy = Policy(dims=3, spacing_mm=2.0)
    stored(tmp_path / "in", tmp_path / "c", policy, size=16)
    table = Collection.open(tmp_path / "c").metadata()
    np.testing.assert_allclose(table.spacing_mm, [[2.0, 2.0, 2.0]])
    assert Collection.open(tmp_path / "c").info["policy"]["spacing_mm"] == 2.0


@pytest.fixture
def real_series(shared: Path, tmp_path: Path) -> Callable[[Policy], IngestReport]:
    return lambda policy: stored(
        shared / "dicom" / "mr_series_t1_datalad",
        tmp_path / "c",
        policy,
        one_scan_per_patient=False,
    )


def test_a_real_series(real_series: Callable[[Policy], IngestReport], tmp_path: Path) -> None:
    report = real_series(Policy(dims=3))
    assert (report.n_scans, report.quarantine, report.n_skipped) == (1, (), 0)
    table = Collection.open(tmp_path / "c").metadata()
    assert (table.modality[0], len(table.patient[0])) == ("MR", 16)
