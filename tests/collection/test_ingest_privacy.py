"""What an ingest keeps of a person: nothing; what it shows of that; text in the pixels."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.phi import search_phi
from latentdx.collection.plan import IngestSettings
from latentdx.collection.store import Collection
from latentdx.scans.identity_map import IdentityMap
from latentdx.scans.policy import Policy

KEY = b"a key for tests only".ljust(32)
PLANTED = ("Mustermann^Erika", "ACC-771-204", "1.2.840.99999.5.4", "St. Nirgends")

pytestmark = pytest.mark.slow


def write_dicom(path: Path, **tags: Any) -> Path:
    ds = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    ds.PatientName, ds.AccessionNumber, ds.StudyInstanceUID, ds.InstitutionName = PLANTED
    ds.PatientID, ds.StudyDate, ds.AcquisitionDate = "PLANT-4711-Q", "20240229", "20240229"
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path)
    return path


def stored(source: Path, to: Path, **options: Any) -> IngestReport:
    policy = Policy(gate=True, **{"burned_in": "quarantine", **options})
    settings = IngestSettings(key=KEY, policy=policy, for_training=False, workers=1)
    return ingest([source], to, settings)


def picture_with_text(path: Path, *, mode: str = "L") -> Path:
    shade = np.linspace(40, 180, 300 * 400).reshape(300, 400).astype(np.uint8)
    image = Image.fromarray(shade)
    ImageDraw.Draw(image).text(
        (20, 20), "MUSTERMANN ERIKA 1962", fill=255, font=ImageFont.load_default(18)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert(mode).save(path)
    return path


def test_nothing_of_the_header_is_found_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        write_dicom(tmp_path / "in" / f"{number}.dcm", SeriesInstanceUID=f"1.2.3.{number}")
    broken = write_dicom(tmp_path / "in" / "broken.dcm")
    broken.write_bytes(broken.read_bytes()[:-900])
    with caplog.at_level(logging.DEBUG):
        report = stored(tmp_path / "in", tmp_path / "c")
    assert (report.n_scans, [item.code for item in report.quarantine]) == (3, ["E_TRUNCATED"])
    assert search_phi(tmp_path / "c", [*PLANTED, "PLANT-4711-Q", "Erika", "20240229"]) == []
    said = caplog.text + "".join(capfd.readouterr()) + str(report)
    assert not any(name in said for name in PLANTED)
    table = Collection.open(tmp_path / "c").metadata()
    assert len(set(table.acquired.tolist())) == 1  # moved by the same days for one patient
    assert not table.acquired[0].startswith("2024-02")


def test_the_proof_tells_what_was_there_and_what_became_of_it(tmp_path: Path) -> None:
    for number in range(3):
        write_dicom(tmp_path / "in" / f"{number}.dcm")
    (tmp_path / "in" / "empty.dcm").write_bytes(b"")
    stored(tmp_path / "in", tmp_path / "c")
    text = (tmp_path / "c" / "deidentification.json").read_text()
    proof = json.loads(text)
    by_keyword = {item["keyword"]: item for item in proof["attributes"]}
    assert (proof["n_scans"], proof["refused"]) == (3, {"E_EMPTY": 1})
    assert by_keyword["PatientName"] == {
        "tag": "00100010", "keyword": "PatientName", "action": "emptied or pseudonym", "files": 3,
    }  # fmt: skip
    assert by_keyword["AccessionNumber"]["files"] == 3
    assert proof["burned_in_text"] == "quarantine"
    assert not any(name in text for name in (*PLANTED, KEY.hex()))


def test_the_identity_map_leads_back_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(tmp_path / "user" / "pseudonym.key"))
    write_dicom(tmp_path / "in" / "a.dcm")
    stored(tmp_path / "in", tmp_path / "without")
    assert not (tmp_path / "user" / "identities.sealed").exists()
    stored(tmp_path / "in", tmp_path / "c", identity_map=True)
    patient = str(Collection.open(tmp_path / "c").metadata().patient[0])
    known = IdentityMap(KEY)
    assert known.who(patient) == "PLANT-4711-Q"
    assert "PLANT-4711-Q" not in known.path.read_text()
    assert search_phi(tmp_path / "c", ["PLANT-4711-Q"]) == []


def test_text_in_the_pixels_is_quarantined_masked_or_kept(tmp_path: Path) -> None:
    picture_with_text(tmp_path / "in" / "text.png")
    Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (200, 1))).save(
        tmp_path / "in" / "plain.png"
    )
    report = stored(tmp_path / "in", tmp_path / "q")
    assert [(item.path, item.code) for item in report.quarantine] == [("text.png", "E_BURNED_IN")]
    report = stored(tmp_path / "in", tmp_path / "m", burned_in="mask")
    table = Collection.open(tmp_path / "m").metadata()
    masked = table.conversions[table.path.tolist().index("text.png")]
    assert (report.n_scans, any("mask" in text for text in masked)) == (2, True)
    assert stored(tmp_path / "in", tmp_path / "k", burned_in="keep").quarantine == ()


def test_a_header_that_states_text_is_believed(tmp_path: Path) -> None:
    write_dicom(tmp_path / "in" / "stated.dcm", BurnedInAnnotation="YES")
    write_dicom(tmp_path / "in" / "capture.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    report = stored(tmp_path / "in", tmp_path / "c")
    assert [(item.path, item.code) for item in report.quarantine] == [("stated.dcm", "E_BURNED_IN")]
    assert report.warnings == {"W_BURNED_IN": 1}


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1." * 40 + "1", "1.2\0.3"])
def test_identifiers_that_are_none_are_refused(tmp_path: Path, uid: str) -> None:
    write_dicom(tmp_path / "in" / "good.dcm")
    data = write_dicom(tmp_path / "in" / "bad.dcm", SOPInstanceUID="1.2.3").read_bytes()
    length = len("1.2.3") + 1
    marked = b"\x08\0\x18\0UI" + length.to_bytes(2, "little")
    hostile = uid.encode() + b"\0" * (len(uid) % 2)
    at = data.rindex(marked)
    data = (
        data[:at]
        + b"\x08\0\x18\0UI" + len(hostile).to_bytes(2, "little") + hostile
        + data[at + len(marked) + length :]
    )  # fmt: skip
    (tmp_path / "in" / "bad.dcm").write_bytes(data)
    report = stored(tmp_path / "in", tmp_path / "c")
    assert [(item.path, item.code) for item in report.quarantine] == [("bad.dcm", "E_UID")]
