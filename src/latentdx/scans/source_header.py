"""`SourceHeader`: what a report that goes back to the archive must say of the image it is about."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.config import RAISE
from pydicom.multival import MultiValue
from pydicom.valuerep import validate_value

from latentdx.core.errors import InputError
from latentdx.scans.dicom_dataset import read_dataset
from latentdx.scans.limits import Limits
from latentdx.scans.open import read_bytes, refusals
from latentdx.scans.sniff import HEAD_BYTES, sniff

PERSON = (
    ("PatientName", "PN"), ("PatientID", "LO"), ("IssuerOfPatientID", "LO"),
    ("PatientBirthDate", "DA"), ("PatientSex", "CS"), ("AccessionNumber", "SH"), ("StudyID", "SH"),
    ("StudyDate", "DA"), ("StudyTime", "TM"), ("ReferringPhysicianName", "PN"),
)  # fmt: skip
"""Attributes of the patient and the study that a report shares with its images, and their VRs."""

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_DATES = (
    ("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime"),
)  # fmt: skip
_NUMBERS = ("SeriesNumber", "InstanceNumber")
_ASKED = sorted({*_UIDS, *_NUMBERS, *(n for n, _ in PERSON), *(n for pair in _DATES for n in pair)})
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_LONGEST_UID = 64
_MOST = 2**31 - 1


@dataclass(frozen=True)
class SourceHeader:
    """Identifiers of a DICOM image as they stand in its file, for documents that refer to it.

    They name a person: they go into such documents and nowhere else, and are never shown.

    Attributes
    ----------
    sop_class, sop_instance, study, series: unique identifiers, each valid.
    series_number, instance_number: 0 where the file has none.
    date, time: when it was acquired, else its content, series or study (``YYYYMMDD``, ``HHMMSS``);
        ``""`` where the file does not say.
    person: values of `PERSON` by keyword, those that the file has and that are valid.
    """

    sop_class: str
    sop_instance: str
    study: str
    series: str
    series_number: int = 0
    instance_number: int = 0
    date: str = ""
    time: str = ""
    person: dict[str, str] = field(default_factory=dict, repr=False)


def read_source_header(path: str | Path, limits: Limits) -> SourceHeader:
    """What a DICOM image says of itself; no pixel is decoded.

    Raises `InputError`: what `read_dicom` raises before it decodes, ``E_FORMAT`` for other files
    than DICOM, and ``E_SR`` where an identifier is missing or invalid, so that nothing can refer
    to the image.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> header = read_source_header(get_testdata_file("CT_small.dcm"), Limits())
    >>> header.date, header.series_number
    ('19970430', 1)
    """
    with refusals(path):
        data = read_bytes(Path(path), limits)
        if sniff(data[:HEAD_BYTES]) != "dicom":
            raise InputError("E_FORMAT", "not a DICOM file", fix="reports are of DICOM files")
        read_dataset(data, limits)  # refuses what is no image, nests too deep or unpacks too far
        return _header_of(data)


def _header_of(data: bytes) -> SourceHeader:
    ds = dcmread(io.BytesIO(data), force=True, stop_before_pixels=True, specific_tags=_ASKED)
    uids = {name: _text(ds, name) for name in _UIDS}
    uids["SOPClassUID"] = uids["SOPClassUID"] or _text(ds.file_meta, "MediaStorageSOPClassUID")
    if broken := [name for name in _UIDS if not _is_uid(uids[name])]:
        raise InputError(
            "E_SR",
            f"{' and '.join(broken)} {'is' if len(broken) == 1 else 'are'} missing or invalid: "
            "no report can refer to the image",
            fix="export it again from the archive",
        )
    series_number, instance_number = (_number(_text(ds, name)) for name in _NUMBERS)
    date, time = _when(ds)
    return SourceHeader(
        uids["SOPClassUID"],
        uids["SOPInstanceUID"],
        uids["StudyInstanceUID"],
        uids["SeriesInstanceUID"],
        series_number,
        instance_number,
        date,
        time,
        _person(ds),
    )


def _person(ds: Any) -> dict[str, str]:
    """What is empty or invalid is left out; but for the name and ID, which say whose it is."""
    found = {}
    for name, vr in PERSON:
        value = _text(ds, name)
        if not value:
            continue
        if _is_valid(vr, value) and (name != "PatientSex" or value in ("M", "F", "O")):
            found[name] = value
        elif name in ("PatientID", "PatientName"):
            raise InputError(
                "E_SR",
                f"{name} is not valid: a report would be of somebody else",
                fix="correct it in the archive, and export the image again",
            )
    return found


def _text(ds: Any, keyword: str) -> str:
    """One value as text, decoded; ``""`` where there is none, more than one, or none readable."""
    try:
        value = ds.get(keyword)
    except Exception:  # pydicom raises many kinds
        return ""
    return "" if value is None or isinstance(value, MultiValue) else str(value).strip(" \0")


def _is_valid(vr: str, value: str) -> bool:
    if not value.isprintable() or "\\" in value:
        return False
    try:
        validate_value(vr, value, RAISE)
    except Exception:
        return False
    return vr not in ("DA", "TM") or re.fullmatch(r"[0-9]{2,8}(\.[0-9]{1,6})?", value) is not None


def _is_uid(value: str) -> bool:
    return len(value) <= _LONGEST_UID and _UID.fullmatch(value) is not None


def _number(value: str) -> int:
    number = int(value) if re.fullmatch(r"[0-9]{1,10}", value) else 0
    return number if number <= _MOST else 0


def _when(ds: Any) -> tuple[str, str]:
    for date, time in _DATES:
        day, hour = _text(ds, date), _text(ds, time).partition(".")[0]
        if re.fullmatch(r"[0-9]{8}", day) and _is_valid("DA", day):
            known = re.fullmatch(r"[0-9]{6}", hour) and _is_valid("TM", hour)
            return day, hour if known else ""
    return "", ""
