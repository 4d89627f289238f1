"""What a DICOM header says besides pixels: pseudonyms, spacing and coarse covariates.

Everything but the pseudonyms of the study and the series is read from a data set that went through
the confidentiality profile (see `latentdx.scans.profile`), and is one of a list of terms, a number,
a shifted date or a keyed pseudonym: nothing that a person typed is left.
"""

from __future__ import annotations

import math
from typing import Any

from pydicom import config
from pydicom.tag import Tag
from pydicom.uid import UID

from latentdx.scans.dates import OLDEST as OLDEST
from latentdx.scans.dates import age_years, iso_date
from latentdx.scans.deidentify import pseudonym
from latentdx.scans.profile import deidentify_dataset
from latentdx.scans.profile_options import INGEST
from latentdx.scans.profile_terms import MODALITIES

TAGS = (
    "PatientID", "PatientAge", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
    "SeriesInstanceUID", "StudyDate", "SeriesDate", "AcquisitionDate", "AcquisitionDateTime",
    "Modality", "ViewPosition", "Manufacturer", "ManufacturerModelName", "InstitutionName",
    "StationName", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
)  # fmt: skip

_CLEANED = tuple(
    sorted(
        Tag(keyword) for keyword in TAGS if keyword not in ("StudyInstanceUID", "SeriesInstanceUID")
    )
)
_DATES = ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate")


def identity(ds: Any, key: bytes) -> dict[str, Any]:
    """The fields of `Scan` that a header gives, by name; broken or missing tags give None."""
    clean = deidentify_dataset(ds, INGEST, key, only=_CLEANED)
    return {
        "patient": _text(clean, "PatientID"),
        "study": pseudonym(_text(ds, "StudyInstanceUID"), key, "study"),
        "series": pseudonym(_text(ds, "SeriesInstanceUID"), key, "series"),
        "site": _site(clean, key),
        "modality": modality(ds),
        "acquired": _acquired(clean),
        "spacing_mm": _spacing(clean),
        "covariates": _covariates(clean),
    }


def modality(ds: Any) -> str:
    """DICOM's code, or ``""`` where there is none of the standard's."""
    code = (_text(ds, "Modality") or "").upper()
    return code if code in MODALITIES else ""


def class_name(ds: Any) -> str:
    """What kind of object it is, as the standard calls it; ``""`` of a kind that is not there.

    Examples
    --------
    >>> from pydicom import Dataset
    >>> ds = Dataset()
    >>> ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    >>> class_name(ds)
    'Comprehensive SR Storage'
    """
    meta = getattr(ds, "file_meta", {})
    told = _text(ds, "SOPClassUID") or _text(meta, "MediaStorageSOPClassUID") or ""
    uid = UID(told, config.IGNORE)
    return uid.name if uid.type == "SOP Class" else ""


def _text(ds: Any, keyword: str) -> str | None:
    """The tag as stripped text, None where it is missing or unreadable: no reason to refuse."""
    try:
        value = ds.get(keyword)
        return None if value is None else str(value).strip(" \0") or None
    except Exception:
        return None


def _site(clean: Any, key: bytes) -> str | None:
    """The institution's or else the station's pseudonym; failing both, the device's."""
    if place := _text(clean, "InstitutionName") or _text(clean, "StationName"):
        return place
    device = [_text(clean, "Manufacturer"), _text(clean, "ManufacturerModelName")]
    return pseudonym(" ".join(part for part in device if part), key, "site")


def _acquired(clean: Any) -> str | None:
    found = (iso_date(_text(clean, keyword)) for keyword in _DATES)
    return next((day for day in found if day is not None), None)


def _spacing(clean: Any) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        try:
            row, column = (float(side) for side in clean.get(keyword) or ())
        except Exception:
            continue
        if all(math.isfinite(side) and side > 0 for side in (row, column)):
            return row, column
    return None


def _covariates(clean: Any) -> dict[str, str]:
    found = {
        "age_years": age_years(_text(clean, "PatientAge")),
        "sex": _text(clean, "PatientSex"),
        "view": _text(clean, "ViewPosition"),
        "manufacturer": _text(clean, "Manufacturer"),
    }
    return {name: value for name, value in found.items() if value is not None}
