"""``latentdx predict --sr``: reports on what is DICOM, and what becomes of all else."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from latentdx_command import Ended, png
from phantom_hospital import PLANTED, SHORT, Study
from pydicom.data import get_testdata_file

from latentdx.bundle.load import load_bundle
from latentdx.cli.predict_reports import write_reports
from latentdx.diagnosis.diagnoses import Diagnosis

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]


def reports(folder: Path) -> dict[str, Any]:
    """By the file that they refer to first."""
    found = {}
    for path in sorted(folder.glob("*.dcm")):
        report = pydicom.dcmread(path)
        assert path.stem == report.SOPInstanceUID
        evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        found[evidence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID] = report
    return found


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def some(study: Study, tmp_path: Path) -> Path:
    """Three scans, one cut short and a picture."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for path in sorted(study.cohort.scans.glob("[=+@-]0*.dcm"))[:3]:
        shutil.copy(path, folder / path.name)
    shutil.copy(study.cohort.scans / SHORT, folder / SHORT)
    png(folder / "picture.png", 1)
    return folder


def test_each_dicom_file_gets_one_and_stdout_is_as_before(
    here: Call, study: Study, some: Path, tmp_path: Path
) -> None:
    bundle, out = study.out / "bundle", tmp_path / "a" / "reports"
    plain = here("predict", bundle, some, "--json")
    ended = here("predict", bundle, some, "--json", "--sr", out)
    assert (ended.code, ended.out) == (plain.code, plain.out)
    said = " ".join(ended.err.split())
    assert f"{out}: 3 structured reports written; 1 inputs left out: not DICOM;" in said
    assert "1 inputs left out: not readable" in said
    assert not any(value in ended.out + ended.err for value in PLANTED.values())

    found = reports(out)
    lines = {line["path"]: line for line in map(json.loads, ended.out.splitlines())}
    for path in some.glob("*.dcm"):
        if path.name == SHORT:
            continue
        scan = pydicom.dcmread(path)
        report = found[scan.SOPInstanceUID]
        assert (report.PatientID, report.StudyInstanceUID) == (
            scan.PatientID,
            scan.StudyInstanceUID,
        )
        assert str(lines[str(path)]["anomaly_score"]) in str(report)
    assert len(found) == 3

    first = bytes_in(out)
    (out / "a note").write_text("stays")
    assert here("predict", bundle, some, "--sr", out).code == 3
    assert bytes_in(out) == {**first, "a note": b"stays"}


def test_patients_get_one_a_study(here: Call, study: Study, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(study.out / "bundle", bundle)
    told = json.loads((bundle / "bundle.json").read_text())
    told["head"]["decide_by"] = "patient"
    (bundle / "bundle.json").write_text(json.dumps(told))
    sums = json.loads((bundle / "checksums.json").read_text())
    sums["bundle.json"] = hashlib.sha256((bundle / "bundle.json").read_bytes()).hexdigest()
    (bundle / "checksums.json").write_text(json.dumps(sums, indent=2) + "\n")

    by_patient: dict[str, list[Path]] = {}
    for path in sorted(study.cohort.scans.glob("[=+@-]0*.dcm")):
        by_patient.setdefault(pydicom.dcmread(path).PatientID, []).append(path)
    scans = next(paths for paths in by_patient.values() if len(paths) > 1)
    studies = {pydicom.dcmread(path).StudyInstanceUID for path in scans}
    ended = here("predict", bundle, *scans, "--json", "--sr", tmp_path / "reports")
    assert (ended.code, len(ended.out.splitlines())) == (0, 1)
    found = reports(tmp_path / "reports")
    assert {report.StudyInstanceUID for report in found.values()} == studies
    assert len(found) == len(studies)


def test_a_series_gets_one_that_refers_to_all_of_it(study: Study, tmp_path: Path) -> None:
    folder = Path(get_testdata_file("CT_small.dcm")).parent / "dicomdirtests" / "77654033" / "CT2"
    slices = tuple(sorted(map(str, folder.iterdir())))
    picture = str(png(tmp_path / "picture.png", 1))
    model = load_bundle(study.out / "bundle")
    found = [
        Diagnosis(path, "1f", "ok", "healthy", {"healthy": 1.0}, ("healthy",), 0.5)
        for path in (slices[0], f"{picture}#slice/0")
    ]
    members = {slices[0]: slices, picture: (picture,)}
    told = write_reports(tmp_path, found, members, model, 1)
    assert told == f"{tmp_path}: 1 structured reports written; 1 inputs left out: not DICOM"
    (report,) = reports(tmp_path).values()
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    referred = {each.ReferencedSOPInstanceUID for each in evidence.ReferencedSOPSequence}
    assert referred == {pydicom.dcmread(path).SOPInstanceUID for path in slices}


def test_nothing_is_done_where_nothing_can_be_reported(
    here: Call, study: Study, some: Path, tmp_path: Path
) -> None:
    bundle, out = study.out / "bundle", tmp_path / "reports"
    ended = here("predict", bundle, some / "picture.png", "--json", "--sr", out)
    assert (ended.code, ended.out, out.exists()) == (2, "", False)
    assert "E_SR" in ended.err
    assert "give the DICOM files" in " ".join(ended.err.split())
    (tmp_path / "taken").write_text("a file")
    ended = here("predict", bundle, some, "--sr", tmp_path / "taken")
    assert (ended.code, ended.out) == (2, "")
    assert "E_IO" in ended.err


def test_an_image_without_identifiers_is_told(
    here: Call, study: Study, some: Path, tmp_path: Path
) -> None:
    nameless = next(path for path in sorted(some.glob("*.dcm")) if path.name != SHORT)
    scan = pydicom.dcmread(nameless)
    del scan.StudyInstanceUID
    scan.save_as(nameless)
    ended = here("predict", study.out / "bundle", nameless, "--sr", tmp_path / "reports")
    assert ended.code == 0
    assert "0 structured reports written; E_SR" in " ".join(ended.err.split())
    assert "StudyInstanceUID is missing or invalid" in " ".join(ended.err.split())


def test_reports_among_the_scans_are_told_as_such_and_are_no_fault(
    here: Call, study: Study, tmp_path: Path
) -> None:
    folder, bundle = tmp_path / "scans", study.out / "bundle"
    folder.mkdir()
    for path in sorted(study.cohort.scans.glob("[=+@-]0*.dcm"))[:3]:
        shutil.copy(path, folder / path.name)
    before = here("predict", bundle, folder, "--json", "--sr", folder)
    assert before.code == 0
    written = {str(path) for path in folder.glob("2.25.*.dcm")}
    assert len(written) == 3

    again = here("predict", bundle, folder, "--json", "--sr", folder)
    assert again.code == 0, again.err
    lines = {line["path"]: line for line in map(json.loads, again.out.splitlines())}
    told = {path: lines.pop(path) for path in written}
    assert list(lines.values()) == [json.loads(line) for line in before.out.splitlines()]
    for line in told.values():
        assert (line["status"], line["reason"]["code"]) == ("quarantined", "N_NOT_IMAGE")
        assert "(SR, Comprehensive SR Storage)" in line["reason"]["text"]
        assert "nothing is to be done" in line["reason"]["text"]
    said = " ".join(again.err.split())
    assert "3 hold no image (reports, plans, directories): left out" in said
    assert "3 structured reports written; 3 inputs left out: no images" in said
    assert {str(path) for path in folder.glob("2.25.*.dcm")} == written

    assert here("predict", bundle, sorted(written)[0], "--json").code == 2, "nothing is there"
    shutil.copy(study.cohort.scans / SHORT, folder / SHORT)
    assert here("predict", bundle, folder, "--json").code == 3, "a file is damaged"
    (folder / SHORT).unlink()
    assert "left out (a DICOM object (SR" in here("predict", bundle, folder).out
    found = here("doctor", folder, "--json")
    assert (found.code, len(found.json["not_images"])) == (0, 3)
    stored = here("ingest", folder, "--to", tmp_path / "c", "--json")
    assert (stored.code, len(stored.json["not_images"])) == (0, 3)
