"""Volumes through the whole job: ingest, pretrain, fit, run, evaluate, predict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from latentdx_command import RESULTS, Ended, metrics, png, table, visible
from phantom_volumes import write_volumes
from pydicom.data import get_testdata_file

from latentdx.bundle.load import load_bundle
from latentdx.collection.store import Collection

Call = Callable[..., Ended]

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mri_hippocampus_nifti"
PATIENTS = ("--patient-pattern", r"p\d+")
QUICK_VOLUMES = ("--autoencoder", "convolutional", "--epochs", "2")
SIDE = 10


@pytest.fixture
def no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of these is DICOM: none has to be looked into for its series."""
    for place in ("collection.plan", "collection.series"):
        monkeypatch.setattr(f"latentdx.{place}.group_series", lambda listing, reading: listing)


@pytest.mark.usefixtures("no_series")
def test_volumes_without_labels_are_learned_from_and_shown_by_slices(
    here: Call, tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in write_volumes(tmp_path / "scans", 6).rglob("*.nii.gz"):
        path.rename(flat / path.name)
    collection, encoder = tmp_path / "c", tmp_path / "e"
    ended = here("ingest", flat, "--to", collection, "--dims", "3", "--size", "8")
    assert ended.code == 0, ended.err
    assert "8 x 8 x 8" in ended.out
    ended = here("pretrain", collection, "--to", encoder, *QUICK_VOLUMES)
    assert ended.code == 0, ended.err
    assert "12 scans" in ended.out
    page = (encoder / "report.html").read_text()
    assert "axial, coronal and sagittal" in page
    assert page.count("data:image/png") == 3 * 8
    assert "no others were kept" in page


@pytest.mark.slow
@pytest.mark.usefixtures("no_series")
def test_a_study_of_volumes_from_end_to_end(here: Call, tmp_path: Path) -> None:
    """Run, then evaluate and predict with its bundle: one answer for one volume everywhere."""
    scans, out = write_volumes(tmp_path / "scans", 20), tmp_path / "out"
    run = ("run", scans, "--dims", "3", "--size", SIDE, "--out", out, *PATIENTS, *QUICK_VOLUMES)
    ended = here(*run, "--json")
    assert ended.code == 0, ended.err
    assert visible(out) == RESULTS
    found = metrics(out)
    assert set(found["baselines"]) >= {"pixels-pca-svm", "hog-svm", "untrained-encoder"}
    assert found["test"]["auroc"]["value"] > 0.9
    assert {"mse", "psnr", "ssim"} == set(found["reconstruction"])
    page = (out / "report.html").read_text()
    assert "axial, coronal and sagittal" in page
    model = load_bundle(out / "bundle")
    assert (model.encoder.shape, model.policy.dims) == ((1, SIDE, SIDE, SIDE), 3)

    own = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "v", "--json")
    assert own.code == 0, own.err
    assert own.json["test"] == found["test"]
    elsewhere = write_volumes(tmp_path / "elsewhere", 8, first=60)
    more = ("ingest", elsewhere, "--to", tmp_path / "c2", "--dims", "3", *PATIENTS)
    assert here(*more, "--size", SIDE).code == 0
    other = here("evaluate", out / "bundle", tmp_path / "c2", "--out", tmp_path / "w", "--json")
    assert other.json["test"]["auroc"]["n_scans"] == 16
    assert here(*more[:2], "--to", tmp_path / "c3", *more[4:], "--size", 8).code == 0
    refused = here("evaluate", out / "bundle", tmp_path / "c3", "--out", tmp_path / "x")
    assert (refused.code, "--dims 3 --size 10" in refused.err) == (2, True)

    row = table(out / "predictions.csv")[0]
    answer = here("predict", out / "bundle", scans / row["path"], "--json").json
    told = float(row["probability:small"])
    assert answer["probabilities"]["small"] == pytest.approx(told, abs=1e-5)
    assert answer["status"] == "ok"
    image = png(tmp_path / "flat.png", 0)
    answer = here("predict", out / "bundle", image, "--json").json
    assert (answer["status"], answer["reason"]["code"]) == ("quarantined", "E_NDIM")


@pytest.mark.slow
@pytest.mark.usefixtures("no_series")
def test_the_steps_apart_come_to_the_same(here: Call, tmp_path: Path) -> None:
    """And a pretraining of the same seed to the same weights, to the bit."""
    scans, out = write_volumes(tmp_path / "scans", 20), tmp_path / "out"
    shape = ("--dims", "3", "--size", SIDE)
    assert here("run", scans, *shape, "--out", out, *PATIENTS, *QUICK_VOLUMES).code == 0
    collection = out / "collection"
    for name in ("e", "again"):
        ended = here("pretrain", collection, "--to", tmp_path / name, *QUICK_VOLUMES)
        assert ended.code == 0, ended.err
        weights = (tmp_path / name / "encoder.safetensors").read_bytes()
        assert weights == (out / "bundle" / "encoder.safetensors").read_bytes()
    assert "Scans it did not learn from" in (tmp_path / "e" / "report.html").read_text()
    fitted = here("fit", collection, "--encoder", tmp_path / "e", "--to", tmp_path / "b")
    assert fitted.code == 0, fitted.err
    same = here("evaluate", tmp_path / "b", collection, "--out", tmp_path / "v", "--json")
    assert same.json["test"]["brier"] == metrics(out)["test"]["brier"]


def write_series(folder: Path, patient: int, n_slices: int = 10) -> Path:
    """A CT series, a file a slice; odd patients have something bright inside."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(patient)
    for index in range(n_slices):
        ds = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
        ds.PatientID = f"P{patient}"
        ds.SeriesInstanceUID = f"1.2.3.{patient}"
        ds.SOPInstanceUID = f"1.2.3.{patient}.{index}"
        ds.ImagePositionPatient = [0.0, 0.0, 5.0 * index]
        values = ds.pixel_array + rng.integers(0, 200, ds.pixel_array.shape).astype(np.int16)
        if patient % 2 and 3 <= index < 7:
            values[40:90, 40:90] += 800
        ds.PixelData = values.astype(np.int16).tobytes()
        ds.save_as(folder / f"{index:02}.dcm")
    return folder


@pytest.mark.slow
def test_series_of_dicom_files_are_answered_for_as_one(here: Call, tmp_path: Path) -> None:
    """A volume is put together in prediction as it was in training."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    for patient in range(24):
        write_series(scans / ("dark", "bright")[patient % 2] / f"s{patient:02}", patient)
    run = ("run", scans, "--dims", "3", "--size", SIDE, "--out", out, *QUICK_VOLUMES)
    assert here(*run).code == 0
    row = table(out / "predictions.csv")[0]
    folder = (scans / row["path"]).parent
    answer = here("predict", out / "bundle", folder, "--json").json
    assert answer["path"] == str(scans / row["path"])
    told = float(row["probability:bright"])
    assert answer["probabilities"]["bright"] == pytest.approx(told, abs=1e-5)
    ended = here("predict", out / "bundle", *sorted(folder.iterdir())[::-1], folder / "no.dcm")
    assert ended.code == 3
    assert len(ended.out.splitlines()) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("no_series")
def test_hippocampi_are_told_apart_by_their_size(here: Call, tmp_path: Path) -> None:
    """Real MR volumes; the label is made: whether the mask has more voxels than most."""
    if not SHARED.is_dir():
        pytest.skip(f"the folder of real volumes is absent: {SHARED}")
    names = [path.name for path in sorted((SHARED / "images").glob("*.nii.gz"))]
    names = [name for name in names if (SHARED / "labels" / name).exists()][:48]
    (tmp_path / "scans").mkdir()
    sizes = []
    for name in names:
        shutil.copy(SHARED / "images" / name, tmp_path / "scans")
        mask = np.asarray(nibabel.load(SHARED / "labels" / name).dataobj)  # type: ignore[attr-defined]
        sizes.append(int((mask > 0).sum()))
    middle = float(np.median(sizes))
    rows = [
        f"{name},{'large' if size > middle else 'small'}"
        for name, size in zip(names, sizes, strict=True)
    ]
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["path,label", *rows]) + "\n")
    ended = here(
        *("run", tmp_path / "scans", "--labels", labels, "--dims", "3", "--size", "24"),
        *("--out", tmp_path / "out", "--one-scan-per-patient", "--json", *QUICK_VOLUMES),
    )
    assert ended.code == 0, ended.err
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert found["test"]["auroc"]["n_scans"] >= 8
    assert 0 < found["reconstruction"]["mse"]["value"] < 0.2
    assert len(Collection.open(tmp_path / "out" / "collection")) == len(names)
