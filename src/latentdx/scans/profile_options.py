"""Options of the confidentiality profile, and how a data set says which were used."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydicom import Dataset

METHOD = "latentdx: PS3.15 Basic Profile, values kept by a whitelist"

_CODES = {
    "graphics": ("113103", "Clean Graphics Option"),
    "structured": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe_private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}


@dataclass(frozen=True)
class ProfileOptions:
    """Which options of the profile are on; none of them: the Basic profile alone.

    Attributes
    ----------
    dates: ``remove``, ``shift`` (Retain Longitudinal Temporal Information Modified Dates; days
        by the patient, see `latentdx.scans.dates`) or ``keep`` (Full Dates).
    strict: what the table does not list, and what it lets stay of the patient, is kept only where
        its value is a number or a defined term; everything else is removed. Off: as the standard
        says, what is not listed stays.
    safe_private, uids, device, institution, patient, descriptors, structured, graphics: the other
        options, by the columns of the table.

    Examples
    --------
    >>> sorted(ProfileOptions(patient=True, dates="shift").active)
    ['modified_dates', 'patient']
    """

    safe_private: bool = False
    uids: bool = False
    device: bool = False
    institution: bool = False
    patient: bool = False
    descriptors: bool = False
    structured: bool = False
    graphics: bool = False
    dates: Literal["remove", "shift", "keep"] = "remove"
    strict: bool = True

    @property
    def active(self) -> frozenset[str]:
        """The names of the table's columns that are on."""
        flags = {item.name for item in fields(self) if getattr(self, item.name) is True}
        by_dates = {"remove": set(), "shift": {"modified_dates"}, "keep": {"full_dates"}}
        return frozenset(flags - {"strict"} | by_dates[self.dates])


INGEST = ProfileOptions(patient=True, dates="shift")
"""What every scan that is read goes through: age and sex in coarse form stay, dates are shifted."""


def sign(clean: Dataset, options: ProfileOptions) -> None:
    """Write into a data set by which profile it was cleaned (PS3.3 C.12.1 and C.7.1.1)."""
    clean.SpecificCharacterSet = "ISO_IR 192"
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = METHOD
    chosen = [("113100", "Basic Application Confidentiality Profile")]
    chosen += [code for name, code in _CODES.items() if name in options.active]
    clean.DeidentificationMethodCodeSequence = [_code_item(*code) for code in chosen]
    shifted = options.dates != "shift" or clean.get("PatientID")
    told = {"remove": "REMOVED", "shift": "MODIFIED", "keep": "UNMODIFIED"}
    clean.LongitudinalTemporalInformationModified = told[options.dates if shifted else "remove"]


def _code_item(code: str, meaning: str) -> Dataset:
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
    return item
