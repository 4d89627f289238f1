"""Structured reports: read back by highdicom and pydicom, and looked over by other programs."""

from __future__ import annotations

import doctest
import io
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ComprehensiveSRStorage

from latentdx.cli.predict_words import in_words
from latentdx.collection.terms import Term
from latentdx.diagnosis.diagnoses import Diagnosis, Reason
from latentdx.report import sr_codes
from latentdx.report.sr import NOTICE, report_of
from latentdx.report.sr_codes import code_of
from latentdx.report.sr_content import Answered, Author
from latentdx.scans.limits import Limits
from latentdx.scans.source_header import SourceHeader, read_source_header

BUNDLE = "0123456789abcdef" * 4
TERMS = {"lobar": Term(icd10="J18.1", snomed="278516003"), "healthy": Term(icd10="Z00.0")}
AUTHOR = Author(BUNDLE, 0.9, terms=TERMS)
CLASSES = Diagnosis(
    "a.dcm", "1f", "ok", "lobar", {"healthy": 0.125, "lobar": 0.875}, ("lobar",), 0.25,
    bundle=BUNDLE,
)  # fmt: skip


def test_examples() -> None:
    assert doctest.testmod(sr_codes).failed == 0


def source(name: str = "CT_small.dcm") -> SourceHeader:
    return read_source_header(str(get_testdata_file(name)), Limits())


def report(*answers: Answered, author: Author = AUTHOR) -> tuple[bytes, Any]:
    """Its bytes, and what highdicom reads from them."""
    uid, data = report_of(answers, author)
    found = hd.sr.srread(io.BytesIO(data))
    assert isinstance(found, hd.sr.ComprehensiveSR)
    assert found.SOPInstanceUID == uid
    return data, found


def groups_of(found: Any) -> list[Any]:
    return list(found.content.get_image_measurement_groups())


def numbers(group: Any) -> dict[str, tuple[float, str]]:
    items = group.get_measurements()
    return {item.name.meaning: (item.value, item.unit.value) for item in items}


def codes(group: Any) -> list[tuple[str, str, str]]:
    items = group.get_qualitative_evaluations()
    return [(item.name.meaning, item.value.scheme_designator, item.value.meaning) for item in items]


def texts(found: Any) -> list[str]:
    items = hd.sr.utils.find_content_items(found, value_type="TEXT", recursive=True)
    return [item.TextValue for item in items]


def test_a_diagnosis() -> None:
    _, found = report(Answered(CLASSES, (source(),)))
    (group,) = groups_of(found)
    assert numbers(group) == {
        "Probability of healthy": (0.125, "{ratio}"),
        "Probability of lobar": (0.875, "{ratio}"),
        "Anomaly score, 0 (ordinary) to 1": (0.25, "1"),
    }
    assert codes(group) == [
        ("Status", "99LATENTDX", "answered"),
        ("Diagnosis", "SCT", "lobar"),
        ("Not ruled out at 90 %", "SCT", "lobar"),
    ]
    assert {NOTICE, BUNDLE, f"bundle sha256 {BUNDLE}"} <= set(texts(found))


def test_it_belongs_to_its_image() -> None:
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    data, _ = report(Answered(CLASSES, (source(),)))
    found = pydicom.dcmread(io.BytesIO(data))
    for name in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert found[name].value == image[name].value, name
    assert found.SOPClassUID == ComprehensiveSRStorage
    assert found.SeriesInstanceUID not in (image.SeriesInstanceUID, "")
    assert found.SpecificCharacterSet == "ISO_IR 192"
    evidence = found.CurrentRequestedProcedureEvidenceSequence[0]
    (referred,) = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert referred.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert referred.ReferencedSOPClassUID == image.SOPClassUID
    assert (found.Manufacturer, found.DeviceSerialNumber) == ("latentdx", BUNDLE)
    assert (found.VerificationFlag, found.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def test_no_answer_has_no_diagnosis() -> None:
    stopped = replace(CLASSES, status="abstained", label=None, reason=Reason("A_RULE", "an infant"))
    foreign = Diagnosis(
        "b.dcm", "2f", "not_evaluated", anomaly_score=1.0, reason=Reason("A_KIND", "no chest")
    )
    _, found = report(Answered(stopped, (source(),)), Answered(foreign, (source(),)))
    first, second = groups_of(found)
    assert [name for name, *_ in codes(first)] == ["Status", "Not ruled out at 90 %"]
    assert codes(second) == [("Status", "99LATENTDX", "not evaluated: no diagnosis")]
    assert list(numbers(second)) == ["Anomaly score, 0 (ordinary) to 1"]
    assert {"A_RULE: an infant", "A_KIND: no chest"} <= set(texts(found))


def test_what_was_read_otherwise_is_told() -> None:
    whole = replace(CLASSES, warnings=("W_NO_MASK",), missing=("age",))
    _, found = report(Answered(whole, (source(),)))
    assert {"read whole: there was no mask to crop it to", "not known: age"} <= set(texts(found))
    assert "no mask, read whole)" in in_words(whole, 0.9)


def test_several_findings_each_present_or_absent() -> None:
    author = replace(AUTHOR, findings=("effusion", "lobar", "mass"))
    told = replace(CLASSES, label="lobar;mass", prediction_set=("lobar", "mass"))
    (group,) = groups_of(report(Answered(told, (source(),)), author=author)[1])
    assert codes(group)[1:4] == [
        ("effusion", "SCT", "Absent"), ("lobar", "SCT", "Present"), ("mass", "SCT", "Present"),
    ]  # fmt: skip
    none = replace(told, label="no finding", prediction_set=())
    (group,) = groups_of(report(Answered(none, (source(),)), author=author)[1])
    assert {value for *_, value in codes(group)} == {"answered", "Absent"}


@pytest.mark.parametrize(("interval", "n_ends"), [((31.5, 52.5), 2), (None, 0)])
def test_a_number_with_its_interval(interval: tuple[float, float] | None, n_ends: int) -> None:
    told = Diagnosis(
        "a.dcm", "1f", "ok", anomaly_score=0.5, value=42.0, interval=interval, units="years",
        bundle=BUNDLE,
    )  # fmt: skip
    (group,) = groups_of(report(Answered(told, (source(),)))[1])
    found = numbers(group)
    assert found["Predicted value"] == (42.0, "{years}")
    assert len(found) == 2 + n_ends
    if interval:
        assert found["Upper end of the 90 % interval"] == (52.5, "{years}")


def test_frames_and_series_are_referred_to() -> None:
    one = source()
    slices = tuple(replace(one, sop_instance=f"1.2.3.{number}") for number in range(1, 4))
    of_frames = [Answered(CLASSES, (one,), (frame,), f"frame {frame}") for frame in (1, 2)]
    first, second = groups_of(report(*of_frames)[1])
    assert second.source_images[0].referenced_frame_numbers == [2]
    assert second.tracking_identifier == "frame 2"
    assert first.tracking_uid != second.tracking_uid
    _, whole = report(Answered(CLASSES, slices))
    assert [uids[2] for uids in whole.get_evidence()] == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
    elsewhere = replace(one, study="1.2.9", sop_instance="1.2.9.1")
    with pytest.raises(ValueError, match="one study"):
        report_of([Answered(CLASSES, (one, elsewhere))], AUTHOR)


def test_the_same_answer_is_the_same_file_and_another_is_another() -> None:
    answer = Answered(CLASSES, (source(),))
    first = report_of([answer], AUTHOR)
    moved = Answered(replace(CLASSES, path="elsewhere/b.dcm"), (source(),))
    assert first == report_of([moved], AUTHOR)
    others = [
        report_of([Answered(replace(CLASSES, anomaly_score=0.5), (source(),))], AUTHOR),
        report_of([answer], replace(AUTHOR, bundle="f" * 64)),
        report_of([Answered(CLASSES, (source("MR_small.dcm"),))], AUTHOR),
    ]
    assert len({first[0], *(uid for uid, _ in others)}) == 4


def test_labels_of_any_length_and_script() -> None:
    long = "consolidation of the right upper lobe with air bronchograms, probably bacterial"
    told = replace(
        CLASSES, label="肺炎", probabilities={long: 0.5, "肺炎": 0.5}, prediction_set=(long,)
    )
    data, found = report(Answered(told, (source(),)))
    (group,) = groups_of(found)
    assert codes(group)[1:] == [
        ("Diagnosis", "99LATENTDX", "肺炎"),
        ("Not ruled out at 90 %", "99LATENTDX", long[:64].strip()),
    ]
    assert pydicom.dcmread(io.BytesIO(data)).CodingSchemeIdentificationSequence


def test_which_code_is_taken() -> None:
    assert code_of("healthy", TERMS).scheme_designator == "I10"
    assert code_of("lobar", TERMS).value == "278516003"
    assert code_of("of none", TERMS).value == "of none"


def test_other_codes_of_a_label_are_told_as_equivalent() -> None:
    """PS3.3 section 8.8: the same concept in the codes of other schemes, as read from files."""
    every = Term(icd10="J18.1", snomed="278516003", radlex="RID5350-and-longer")
    author = replace(AUTHOR, terms={**TERMS, "lobar": every}, findings=("healthy", "lobar"))
    data, found = report(Answered(CLASSES, (source(),)), author=author)
    (group,) = groups_of(found)
    by_name = {item.name.meaning: item.name for item in group.get_qualitative_evaluations()}
    others = by_name["lobar"].EquivalentCodeSequence
    assert [(item.CodingSchemeDesignator, item.CodeMeaning) for item in others] == [
        ("RADLEX", "lobar"), ("I10", "lobar"),
    ]  # fmt: skip
    assert others[0].LongCodeValue == "RID5350-and-longer"
    assert "CodeValue" not in others[0]
    assert others[1].CodeValue == "J18.1"
    assert "EquivalentCodeSequence" not in by_name["healthy"]
    values = [item.value for item in group.get_qualitative_evaluations()]
    assert all("EquivalentCodeSequence" not in value for value in values[:-1])
    assert len(values[-1].EquivalentCodeSequence) == 2  # what is not ruled out is the same concept
    assert report(Answered(CLASSES, (source(),)), author=author)[0] == data
    diagnosed = report(Answered(CLASSES, (source(),)))[1]
    (group,) = groups_of(diagnosed)
    (diagnosis,) = group.get_qualitative_evaluations(name=sr_codes.DIAGNOSIS)
    assert [item.CodeValue for item in diagnosis.value.EquivalentCodeSequence] == ["J18.1"]


def test_of_classes_that_were_retired_and_names_in_other_scripts() -> None:
    person = {"PatientName": "Yamada^Tarou=山田^太郎", "PatientID": "Ä-1", "PatientSex": "O"}
    old = replace(source(), sop_class="1.2.840.10008.5.1.4.1.1.6", person=person, date="", time="")
    data, _ = report(Answered(CLASSES, (old,)))
    found = pydicom.dcmread(io.BytesIO(data))
    assert found.PatientName.ideographic == "山田^太郎"
    assert (found.PatientID, found.ContentDate) == ("Ä-1", "19000101")


def said_by(program: str, arguments: Sequence[str], data: bytes, folder: Path) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    (folder / "report.dcm").write_bytes(data)
    command = [program, *arguments, str(folder / "report.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def awkward() -> bytes:
    """A report with all kinds of items."""
    stopped = replace(CLASSES, status="abstained", label=None, reason=Reason("A_RULE", "an infant"))
    one = replace(source("US1_UNCR.dcm"), sop_class="1.2.840.10008.5.1.4.1.1.3.1")  # of frames
    return report(Answered(CLASSES, (one,)), Answered(stopped, (one,), (1,), "frame 1"))[0]


def test_dcmtk_reads_it(awkward: bytes, tmp_path: Path) -> None:
    said = said_by("dsrdump", ["-Ee", "+Pl"], awkward, tmp_path)
    assert "Comprehensive SR Document" in said
    assert '"Probability of lobar")="0.875"' in said
    assert "A_RULE: an infant" in said
    assert not [line for line in said.splitlines() if line.startswith("E:")]


def test_dicom3tools_find_no_error(awkward: bytes, tmp_path: Path) -> None:
    said = said_by("dciodvfy", [], awkward, tmp_path)
    assert said.startswith("ComprehensiveSR")
    assert [line for line in said.splitlines()[1:] if "<99LATENTDX>" not in line] == []
