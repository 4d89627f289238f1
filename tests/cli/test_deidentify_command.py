"""`deidentify`: files written again, and what is not written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from latentdx_command import latentdx
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file

from latentdx.collection.phi import search_phi

NAMES = ("Mustermann^Erika", "PLANT-4711-Q", "St. Nirgends", "1.2.840.99999.5")

pytestmark = pytest.mark.slow


def write(path: Path, pixels: np.ndarray | None = None, **tags: Any) -> None:
    ds = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    ds.PatientName, ds.PatientID, ds.InstitutionName, ds.StudyInstanceUID = NAMES
    if pixels is not None:
        ds.Rows, ds.Columns = pixels.shape
        ds.PixelData = pixels.astype("<i2").tobytes()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path)


def with_text() -> np.ndarray:
    image = Image.fromarray(np.linspace(0, 200, 300 * 400).reshape(300, 400).astype(np.uint8))
    font = ImageFont.load_default(18)
    ImageDraw.Draw(image).text((20, 20), "MUSTERMANN ERIKA 1962", fill=255, font=font)
    return np.asarray(image)


def test_clean_files(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "in" / f"{number}.dcm", SOPInstanceUID=f"1.2.840.99999.5.{number}")
    write(tmp_path / "in" / "text.dcm", with_text())
    (tmp_path / "in" / "empty.dcm").write_bytes(b"")
    Image.new("L", (20, 20)).save(tmp_path / "in" / "picture.png")
    call = ("deidentify", tmp_path / "in", "--to", tmp_path / "clean", "--json")
    ended = latentdx(*call)
    assert ended.code == 3, ended.err
    told = ended.json
    assert (told["n_written"], told["n_patients"]) == (3, 1)
    assert {item["path"]: item["code"] for item in told["quarantine"]} == {
        "empty.dcm": "E_EMPTY", "picture.png": "E_FORMAT", "text.dcm": "E_BURNED_IN",
    }  # fmt: skip
    assert search_phi(tmp_path / "clean", NAMES) == []
    written = sorted((tmp_path / "clean").rglob("*.dcm"))
    assert len(written) == 3
    original = pydicom.dcmread(tmp_path / "in" / "0.dcm")
    for path in written:
        clean = pydicom.dcmread(path)
        assert clean.PatientID == path.parent.name
        assert clean.PatientIdentityRemoved == "YES"
        np.testing.assert_array_equal(clean.pixel_array, original.pixel_array)
    assert len({pydicom.dcmread(path).StudyInstanceUID for path in written}) == 1
    assert json.loads((tmp_path / "clean" / "deidentification.json").read_text())["n_files"] == 3
    latentdx(*call)  # the same call writes the same files again
    assert sorted((tmp_path / "clean").rglob("*.dcm")) == written


def test_options(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.dcm", PatientSex="F", StationName="ROOM 7")
    for name, options in (
        ("shifted", ()),
        ("basic", ("--basic",)),
        ("kept", ("--retain", "full-dates", "--retain", "uids")),
    ):
        ended = latentdx("deidentify", tmp_path / "in", "--to", tmp_path / name, *options)
        assert ended.code == 0, ended.err
    clean = {
        name: pydicom.dcmread(next((tmp_path / name).rglob("*.dcm")))
        for name in ("shifted", "basic", "kept")
    }
    dates = {name: str(ds.get("StudyDate") or "") for name, ds in clean.items()}
    original = pydicom.dcmread(tmp_path / "in" / "a.dcm").StudyDate
    assert dates["kept"] == original
    assert dates["shifted"] not in ("", original)
    assert dates["basic"] != original
    assert (clean["shifted"].PatientSex, clean["basic"].get("PatientSex") or "") == ("F", "")
    assert clean["kept"].StudyInstanceUID == NAMES[3]
    ended = latentdx("deidentify", tmp_path / "in", "--to", tmp_path / "x", "--retain", "names")
    assert (ended.code, "E_OPTION" in ended.err) == (2, True)
