"""What a DICOM header says besides pixels: pseudonyms, spacing and coarse covariates."""

from __future__ import annotations

import math
import re
from datetime import date
from typing import Any

from latentdx.scans.deidentify import pseudonym

TAGS = (
    "PatientID", "PatientAge", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
    "SeriesInstanceUID", "StudyDate", "AcquisitionDate", "Modality", "ViewPosition",
    "Manufacturer", "ManufacturerModelName", "InstitutionName", "StationName",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
)  # fmt: skip

OLDEST = 90
"""Ages over 89 identify (HIPAA's safe harbour): all of them are told as 90."""

_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_SEXES = frozenset({"M", "F", "O"})
# The defined terms of DICOM PS3.3 C.8.1 and C.8.11.7; free text could name a person.
_VIEWS = frozenset(
    {"AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "LAT", "LATERAL", "CC", "MLO", "ML", "LM",
     "LMO", "XCC", "XCCL", "XCCM", "FB", "SIO", "ISO", "CV", "AT"}
)  # fmt: skip


def identity(ds: Any, key: bytes) -> dict[str, Any]:
    """The fields of `Scan` that a header gives, by name; broken or missing tags give None."""
    return {
        "patient": pseudonym(_text(ds, "PatientID"), key, "patient"),
        "study": pseudonym(_text(ds, "StudyInstanceUID"), key, "study"),
        "series": pseudonym(_text(ds, "SeriesInstanceUID"), key, "series"),
        "site": pseudonym(_site(ds), key, "site"),
        "modality": modality(ds),
        "spacing_mm": _spacing(ds),
        "covariates": _covariates(ds),
    }


def modality(ds: Any) -> str:
    """DICOM's code, or ``""`` where there is none that looks like one."""
    code = (_text(ds, "Modality") or "").upper()
    return code if re.fullmatch(r"[A-Z0-9_]{2,16}", code) else ""


def _text(ds: Any, keyword: str) -> str | None:
    """The tag as stripped text, None where it is missing or unreadable: no reason to refuse."""
    try:
        value = ds.get(keyword)
        return None if value is None else str(value).strip(" \0") or None
    except Exception:
        return None


def _site(ds: Any) -> str | None:
    if place := _text(ds, "InstitutionName") or _text(ds, "StationName"):
        return place
    device = [_text(ds, "Manufacturer"), _text(ds, "ManufacturerModelName")]
    return " ".join(part for part in device if part) or None


def _spacing(ds: Any) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        try:
            row, column = (float(side) for side in ds.get(keyword) or ())
        except Exception:
            continue
        if all(math.isfinite(side) and side > 0 for side in (row, column)):
            return row, column
    return None


def _covariates(ds: Any) -> dict[str, str]:
    sex, view = ((_text(ds, tag) or "").upper() for tag in ("PatientSex", "ViewPosition"))
    found = {
        "age_years": _age(ds),
        "sex": sex if sex in _SEXES else None,
        "view": view if view in _VIEWS else None,
        "manufacturer": _maker(ds),
    }
    return {name: value for name, value in found.items() if value is not None}


def _maker(ds: Any) -> str | None:
    text = " ".join((_text(ds, "Manufacturer") or "").split())
    return text[:64] if text.isprintable() and text else None


def _age(ds: Any) -> str | None:
    """Whole years as text, from the age or else from the dates."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", (_text(ds, "PatientAge") or "").upper())
    years = float(match[1]) * _YEARS[match[2]] if match else _years_between(ds)
    return None if years is None or not 0 <= years < 130 else str(min(int(years + 1e-9), OLDEST))


def _years_between(ds: Any) -> float | None:
    born = _day(_text(ds, "PatientBirthDate"))
    seen = _day(_text(ds, "StudyDate") or _text(ds, "AcquisitionDate"))
    if born is None or seen is None:
        return None
    return float(seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day)))


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "").replace(".", ""))
    except ValueError:
        return None
