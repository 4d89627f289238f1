"""Codes of structured reports: those of the bundle's terms, DICOM's own, and local ones."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

from highdicom.sr import CodedConcept

from latentdx.collection.terms import Terms

SCHEME = "99LATENTDX"
"""Designator of the codes that no standard has: PS3.16 section 8.2 leaves those from 99 free."""

_SYSTEMS = (("snomed", "SCT"), ("radlex", "RADLEX"), ("icd10", "I10"))
_LONGEST_CODE, _LONGEST_MEANING = 16, 64

DIAGNOSIS = CodedConcept("439401001", "SCT", "Diagnosis")
PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
PRESENT = CodedConcept("52101004", "SCT", "Present")
ABSENT = CodedConcept("272519000", "SCT", "Absent")
COMMENT = CodedConcept("121106", "DCM", "Comment")
RATIO = CodedConcept("{ratio}", "UCUM", "ratio")
NO_UNITS = CodedConcept("1", "UCUM", "no units")


def code_of(label: str, terms: Terms) -> CodedConcept:
    """A label as a coded concept whose meaning is its text, cut to 64 characters.

    Of the codes in `terms` SNOMED CT's (``SCT``) is taken, else RadLex's (``RADLEX``), else that of
    ICD-10 (``I10``); the others stand beside it in its Equivalent Code Sequence (0008,0121), in
    this order. Of a label without any the code is local.

    Examples
    --------
    >>> from latentdx.collection.terms import Term
    >>> told = code_of("pneumonia", {"pneumonia": Term(icd10="J18.9", radlex="RID5350")})
    >>> told.value, told.scheme_designator, told.meaning
    ('RID5350', 'RADLEX', 'pneumonia')
    >>> [each.CodeValue for each in told.EquivalentCodeSequence]
    ['J18.9']
    """
    term, meaning = terms.get(label), meaning_of(label)
    found = [
        CodedConcept(value, scheme, meaning)
        for key, scheme in _SYSTEMS
        if (value := getattr(term, key, None))
    ]
    if not found:
        return local(label, label)
    first, *others = found
    if others:
        first.EquivalentCodeSequence = others
    return first


def local(value: str, meaning: str) -> CodedConcept:
    """A code of this program's own; a value that is no code value stands there by its hash.

    Examples
    --------
    >>> local("a label of more than sixteen characters", "so long").value
    'He869d0ef1c97bb6'
    """
    if not _is_code(value):
        value = "H" + hashlib.sha256(value.encode()).hexdigest()[: _LONGEST_CODE - 1]
    return CodedConcept(value, SCHEME, meaning_of(meaning))


def unit_of(units: str) -> CodedConcept:
    """The unit of a number: as it is where UCUM writes it so, else as UCUM's annotation.

    Examples
    --------
    >>> unit_of("mm").value, unit_of("years of age").value, unit_of("").value
    ('mm', '{years_of_age}', '1')
    """
    if not units:
        return NO_UNITS
    if units in _UCUM:
        return CodedConcept(units, "UCUM", units)
    plain = "".join(each if "!" <= each <= "~" and each not in "{}" else "_" for each in units)
    return CodedConcept(f"{{{plain[: _LONGEST_CODE - 2]}}}", "UCUM", meaning_of(units))


_UCUM = frozenset(
    {"%", "mm", "mm2", "mm3", "cm", "cm2", "cm3", "m", "ml", "mL", "l", "L", "g", "kg", "mg", "ug"}
    | {"s", "ms", "min", "h", "d", "wk", "mo", "a", "mm[Hg]", "Cel", "deg", "g/ml", "kg/m2", "1"}
)
"""Units that people write as UCUM does."""


def meaning_of(text: str) -> str:
    """Text as a code's meaning: printable, at most 64 characters."""
    plain = "".join(each if each.isprintable() and each != "\\" else " " for each in text)
    return plain[:_LONGEST_MEANING].strip() or "?"


def uid_of(kind: str, *parts: str) -> str:
    """A unique identifier that follows from what it names: the same parts make the same one.

    UUIDs as OIDs (PS3.5 section B.2), of the SHA-256 of the parts.

    Examples
    --------
    >>> uid_of("series", "a") == uid_of("series", "a") != uid_of("report", "a")
    True
    >>> uid_of("series", "a").startswith("2.25.")
    True
    """
    digest = hashlib.sha256("\0".join(_framed((kind, *parts))).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def _framed(parts: Iterable[str]) -> Iterable[str]:
    """No two lists of parts look alike once joined."""
    return (f"{len(part)}:{part}" for part in parts)


def _is_code(value: str) -> bool:
    fits = 0 < len(value) <= _LONGEST_CODE and value == value.strip()
    return fits and value.isprintable() and "\\" not in value
