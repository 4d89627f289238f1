"""How files are read, told on the command line; the doctor's page and its search of outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from latentdx_command import Ended, class_folders, table
from PIL import Image

Call = Callable[..., Ended]

ONE_EACH = ("--one-scan-per-patient",)


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    folder = tmp_path / "volumes"
    folder.mkdir()
    for index in range(3):
        values = np.random.default_rng(index).integers(0, 255, (14, 12, 10)).astype(np.int16)
        image = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 1.0, 1.0]))
        nibabel.save(image, folder / f"{index}.nii.gz")
    return folder


@pytest.mark.parametrize(
    ("options", "n_scans", "dims"),
    [
        ((), 3, 3),
        (("--dims", "3"), 3, 3),
        (("--slices", "every:5"), 6, 2),
        (("--slices", "4"), 9, 2),
    ],
)
def test_volumes_and_their_slices(
    here: Call, volumes: Path, tmp_path: Path, options: tuple[str, ...], n_scans: int, dims: int
) -> None:
    ended = here(
        *("ingest", volumes, "--to", tmp_path / "c", "--one-scan-per-patient", "--json"), *options
    )
    assert (ended.code, ended.json["n_scans"], ended.json["dims"]) == (0, n_scans, dims)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--slices", "each:2"), "every:N"),
        (("--slices", "every:0"), "every:N"),
        (("--slices", "every:2", "--dims", "3"), "--dims 2"),
        (("--window", "wide"), "soft-tissue"),
        (("--window", "40,nan"), "CENTER,WIDTH"),
        (("--frames", "some"), "refuse, each, volume"),
        (("--nan", "zero"), "impute"),
        (("--burned-in", "hide"), "quarantine, mask, keep"),
    ],
)
def test_options_that_are_not_understood(
    here: Call, volumes: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    ended = here("ingest", volumes, "--to", tmp_path / "c", *options)
    assert ended.code == 2
    assert "E_OPTION" in ended.err
    assert told in ended.err
    assert not (tmp_path / "c").exists()


def test_a_collection_of_volumes_is_no_source_of_images(
    here: Call, volumes: Path, tmp_path: Path
) -> None:
    here("ingest", volumes, "--dims", "3", "--to", tmp_path / "c", "--one-scan-per-patient")
    ended = here(
        *("run", tmp_path / "c", "--out", tmp_path / "o", "--one-scan-per-patient", "--dims", "2")
    )
    assert (ended.code, "E_NDIM" in ended.err, "--dims 3" in ended.err) == (2, True, True)
    assert not (tmp_path / "o").exists()


def test_volumes_are_known_as_such_where_nothing_is_said(
    here: Call, volumes: Path, tmp_path: Path
) -> None:
    """A collection, an .npz, a file; not a folder that holds a picture, too."""
    (volumes / "notes.pdf").write_bytes(b"%PDF-1.4 no scan, so it says nothing")
    here("ingest", volumes, "--to", tmp_path / "c")
    values = np.random.default_rng(0).integers(0, 255, (3, 9, 10, 11)).astype(np.uint8)
    np.savez(tmp_path / "v.npz", images=values)
    for source in (tmp_path / "c", tmp_path / "v.npz", volumes / "0.nii.gz"):
        ended = here("doctor", source, "--json")
        assert (ended.json["dims"], "--dims 3" in ended.err) == (3, True)
    Image.fromarray(values[0, 0]).save(volumes / "x.png")
    assert here("doctor", volumes, "--json").json["dims"] == 2


def test_a_run_of_volumes_needs_no_option(here: Call, volumes: Path, tmp_path: Path) -> None:
    """Refused for what it lacks, and not for being volumes."""
    here("ingest", volumes, "--to", tmp_path / "c")
    for source in (volumes, tmp_path / "c"):
        ended = here("run", source, "--out", tmp_path / "o", "--one-scan-per-patient")
        assert (ended.code, "E_NO_LABELS" in ended.err) == (2, True)


def test_the_doctor_s_page(here: Call, tmp_path: Path) -> None:
    class_folders(tmp_path / "scans", 4)
    (tmp_path / "scans" / "no" / "p000.png").write_bytes(b"")
    ended = here("doctor", tmp_path / "scans", "--out", tmp_path / "found", *ONE_EACH)
    assert (ended.code, "doctor.html" in ended.out) == (3, True)
    page = (tmp_path / "found" / "doctor.html").read_text()
    facts = json.loads((tmp_path / "found" / "doctor.json").read_text())
    assert "no/p000.png" in page
    assert page.count("data:image/png") == 7
    assert (facts["n_scans"], facts["quarantine"][0]["code"]) == (7, "E_EMPTY")
    assert here("doctor", tmp_path / "scans", "--json", *ONE_EACH).json == facts


def test_the_doctor_searches_outputs(here: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "log.txt").write_text("read scan of Mustermann")
    (tmp_path / "names.txt").write_text("Erika\nMustermann\n\n")
    ended = here("doctor", "--phi", out, "--names", tmp_path / "names.txt")
    assert ended.code == 2
    assert "1 places with one of 2 names" in ended.out
    assert "log.txt" in ended.out
    assert "ustermann" not in ended.out + ended.err
    (tmp_path / "names.txt").write_text("Erika\n")
    assert here("doctor", "--phi", out, "--names", tmp_path / "names.txt").code == 0
    assert here("doctor").code == 2


@pytest.mark.slow
def test_a_preset_travels_from_the_files_to_the_bundle(here: Call, tmp_path: Path) -> None:
    """Volumes in HU: three windows and a crop, in a bundle and in `predict`."""
    source, out = tmp_path / "ct", tmp_path / "out"
    for index in range(32):
        name = ("no", "yes")[index % 2]
        rng = np.random.default_rng(index)
        values = np.full((22, 20, 12), -1000.0)
        values[4:18, 3:17] = 40 + rng.normal(0, 8, (14, 14, 12))
        values[7:10, 6:13] = values[12:15, 6:13] = -800
        if index % 2:
            values[13, 8:11, 4:8] = 30
        (source / name).mkdir(parents=True, exist_ok=True)
        image = nibabel.Nifti1Image(values.astype(np.int16), np.eye(4))
        nibabel.save(image, source / name / f"p{index:02}.nii.gz")
    given = ("--preset", "ct-chest", "--dims", "3", "--size", "16", *ONE_EACH)
    run = here("run", source, "--out", out, *given, "--epochs", "1", "--fine-tune", "none")
    assert run.code == 0, run.err
    told = json.loads((out / "bundle" / "bundle.json").read_text())
    assert told["reading"]["windows"] == [[-600, 1500], [40, 400], [400, 1800]]
    assert (told["reading"]["region"], told["encoder"]["settings"]["channels"]) == ("body", 3)
    row = table(out / "predictions.csv")[0]
    said = here("predict", out / "bundle", source / row["path"], "--json").json
    shown = float(row["probability:yes"])
    assert said["status"] == "not_evaluated" or said["probabilities"]["yes"] == pytest.approx(
        shown, abs=1e-4
    )
    assert said["anomaly_score"] == pytest.approx(float(row["anomaly_score"]), abs=1e-4)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--preset", "ct"), "ct-chest, ct-lung"),
        (("--window", "lung,bone"), "three different ones"),
        (("--region", "liver"), "field, body, lung, brain, mask, none"),
        (("--scale", "head"), "file, body"),
    ],
)
def test_readings_that_are_not_understood(
    here: Call, volumes: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    ended = here("ingest", volumes, "--to", tmp_path / "c", *options)
    assert (ended.code, "E_OPTION" in ended.err) == (2, True)
    assert told in " ".join(ended.err.split())
