"""The front door: every real file gives a scan or an `InputError`, nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pydicom
from dicom_files import KEY

from latentdx.core.errors import InputError
from latentdx.scans.open import open_scan
from latentdx.scans.scan import Scan

CODES = {
    "E_EMPTY", "E_FORMAT", "E_TRUNCATED", "E_SIZE", "E_BOMB", "E_DEPTH", "E_PI", "E_NAN",
    "E_NDIM", "E_PICKLE", "E_DECODE", "E_IO", "N_NOT_IMAGE",
}  # fmt: skip


def scan_or_error(path: Path) -> Scan | InputError:
    try:
        return open_scan(path, key=KEY)
    except InputError as error:
        return error


def outcome(path: Path) -> str:
    """`ok` after checking what every scan promises, else the error's code."""
    scan = scan_or_error(path)
    if isinstance(scan, InputError):
        assert scan.path == str(path)
        assert scan.code in CODES
        return scan.code
    channels, height, width = scan.pixels.shape
    assert scan.pixels.dtype == np.float32
    assert scan.pixels.flags.c_contiguous
    assert channels in (1, 3)
    assert (height, width) == scan.native_shape
    assert np.isfinite(scan.pixels).all()
    assert scan.pixels.min() >= 0
    assert scan.pixels.max() <= 1
    assert re.fullmatch("[0-9a-f]{64}", scan.content_hash)
    return "ok"


def test_every_file_of_pydicom() -> None:
    # The folder itself: pydicom's own listing tries to download what it does not ship.
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = [outcome(path) for path in files]
    assert len(files) > 70
    assert found.count("ok") > len(files) / 3


def test_odd_and_broken(shared: Path) -> None:
    folder = shared / "dicom" / "odd_and_broken"
    found = {path.name: outcome(path) for path in sorted(folder.iterdir())}
    assert found["CT_small.dcm"] == found["image_dfl.dcm"] == found["MR_small_RLE.dcm"] == "ok"
    assert found["MR_truncated.dcm"] == "E_TRUNCATED"
    assert found["rtstruct.dcm"] == found["test-SR.dcm"] == "N_NOT_IMAGE"
    assert found["rtdose.dcm"] == "E_NDIM"


def test_a_real_ct_series_is_one_patient_and_one_series(shared: Path) -> None:
    paths = sorted((shared / "dicom" / "ct_series_ge").glob("*.dcm"))[::9]
    scans = [open_scan(path, key=KEY) for path in paths]
    assert len({(scan.patient, scan.study, scan.series, scan.site) for scan in scans}) == 1
    assert len({scan.content_hash for scan in scans}) == len(scans)
    assert {scan.modality for scan in scans} == {"CT"}


def test_real_pictures_in_every_mode(shared: Path) -> None:
    paths = sorted((shared / "brain_mri_tumor_yesno").glob("*/*"))[::8]
    assert paths
    assert {outcome(path) for path in paths} == {"ok"}


def test_a_volume_is_refused_clearly(shared: Path) -> None:
    path = next((shared / "mri_hippocampus_nifti").rglob("*.nii*"))
    assert outcome(path) == "E_NDIM"
