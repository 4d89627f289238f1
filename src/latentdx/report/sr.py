"""Structured reports for the archive: answers as DICOM SR by template 1500, Measurement Report."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from highdicom.sr import (
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
)
from pydicom.dataset import Dataset

from latentdx.core.version import VERSION
from latentdx.report.sr_codes import PROCEDURE, SCHEME, uid_of
from latentdx.report.sr_content import Answered, Author, comment, group_of_answer
from latentdx.scans.source_header import PERSON, SourceHeader

NOTICE = "For research use. Not a medical device: nothing here may decide on a patient's care."

_DEVICE = CodedConcept("121007", "DCM", "Device")
_ENGLISH = CodedConcept("en", "RFC5646", "English")
_NO_DATE, _NO_TIME = "19000101", "000000"
_OF_PLACE = ("path", "case", "paths", "left_out")
_FIRST_SERIES = 9000


def report_of(answers: Sequence[Answered], author: Author) -> tuple[str, bytes]:
    """The SOP Instance UID and the bytes of one report on answers about images of one study.

    Comprehensive SR (PS3.3 A.35.3), template 1500 (PS3.16). Patient and study are those of the
    images. The UIDs follow from the bundle, the images and the answers, and the date is that of the
    images: a UID names one content only, so the same answers make the same bytes. Raises
    ValueError where the images are of several studies.
    """
    sources = _sources(answers)
    first = sources[0]
    if any(source.study != first.study for source in sources):
        raise ValueError("a report is of one study")
    said = [_said(answer) for answer in answers]
    uid = uid_of("report", VERSION, author.bundle, *(s.sop_instance for s in sources), *said)
    date, time = max((source.date, source.time) for source in sources)
    report = _Report(
        evidence=[_evidence(source) for source in sources],
        content=_content(answers, author, uid)[0],
        series_instance_uid=uid_of("series", author.bundle, first.study, first.series),
        series_number=_FIRST_SERIES + first.series_number % 1000,
        sop_instance_uid=uid,
        instance_number=max(1, first.instance_number),
        manufacturer="latentdx",
        is_complete=True,
        manufacturer_model_name=author.name,
        software_versions=VERSION,
        device_serial_number=author.bundle,
        series_description="latentdx, for research use",
        content_date=date or _NO_DATE,
        content_time=(time if date else "") or _NO_TIME,
        specific_character_set="ISO_IR 192",
    )
    del report.InstanceCreationDate, report.InstanceCreationTime
    for tool in report.get("ContributingEquipmentSequence", ()):
        del tool.ContributionDateTime
    report.CodingSchemeIdentificationSequence = [_scheme()]
    buffer = io.BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    return uid, buffer.getvalue()


class _Report(ComprehensiveSR):
    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """What highdicom copies by a table of classes, which lacks retired ones, is named here."""
        for name, _ in PERSON:
            if value := dataset.get(name):
                setattr(self, name, value)


def _sources(answers: Sequence[Answered]) -> list[SourceHeader]:
    """Each image once."""
    found = {source.sop_instance: source for answer in answers for source in answer.sources}
    return list(found.values())


def _said(answer: Answered) -> str:
    """All that an answer says, but for where its files lie."""
    told = {k: v for k, v in answer.diagnosis.as_json().items() if k not in _OF_PLACE}
    return json.dumps([told, answer.frames, answer.about], sort_keys=True)


def _content(answers: Sequence[Answered], author: Author, uid: str) -> Any:
    device = DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", author.bundle),
        name="latentdx",
        manufacturer_name="latentdx",
        model_name=author.name,
        serial_number=author.bundle,
    )
    groups = [
        group_of_answer(answer, author, uid_of("group", uid, str(number)))
        for number, answer in enumerate(answers)
    ]
    found = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(_DEVICE, device)
        ),
        procedure_reported=PROCEDURE,
        imaging_measurements=groups,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(_ENGLISH),
    )
    found[0].ContentSequence.append(comment(NOTICE))
    return found


def _evidence(source: SourceHeader) -> Dataset:
    """What highdicom wants of an image: identifiers, and the patient's attributes, empty or not."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = source.sop_class, source.sop_instance
    made.StudyInstanceUID, made.SeriesInstanceUID = source.study, source.series
    for name, _ in PERSON:
        setattr(made, name, source.person.get(name))
    return made


def _scheme() -> Dataset:
    made = Dataset()
    made.CodingSchemeDesignator = SCHEME
    made.CodingSchemeName = "latentdx: labels of bundles, and what is said of them"
    return made
