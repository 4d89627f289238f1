"""Dates of a patient moved by one secret number of days, so that intervals stay exact.

The number is drawn from the key and the patient's identifier, uniformly from -3650 to -365 days:
whole days, so the time of day stays, and always into the past, so no shifted date lies ahead.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta

SHIFT_DAYS = (-3650, -365)
"""The least and the greatest shift in days, both possible."""

OLDEST = 90
"""Ages over 89 identify (HIPAA's safe harbour): all of them are told as 90."""

_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def shift_days(patient: str | None, key: bytes) -> int | None:
    """The days that a patient's dates are moved by; None where the patient is not known.

    Examples
    --------
    >>> -3650 <= shift_days("4711", b"k" * 32) <= -365
    True
    """
    text = (patient or "").strip(" \0\t\r\n")
    if not text:
        return None
    digest = hashlib.blake2b(text.encode(), digest_size=16, key=key, person=b"dates").digest()
    low, high = SHIFT_DAYS
    return low + int.from_bytes(digest, "big") % (high - low + 1)


def shift_date(text: str, days: int) -> str | None:
    """A DICOM date (``YYYYMMDD``, or the old ``YYYY.MM.DD``) moved; None where it is no date.

    Examples
    --------
    >>> shift_date("20200301", -366)
    '20190301'
    """
    moved = _moved(text, days)
    return None if moved is None else moved.strftime("%Y%m%d")


def shift_datetime(text: str, days: int) -> str | None:
    """A DICOM date-time moved, its time of day and zone kept; None where it has no full date.

    Examples
    --------
    >>> shift_datetime("20200301123000.5+0100", -366)
    '20190301123000.5+0100'
    """
    match = re.fullmatch(r"(?a)(\d{8})(\d{0,6}(?:\.\d{1,6})?(?:[+-]\d{4})?)", text.strip(" \0"))
    moved = shift_date(match[1], days) if match else None
    return None if match is None or moved is None else moved + match[2]


def is_time(text: str) -> bool:
    """Whether a text is a DICOM time of day and nothing else.

    Examples
    --------
    >>> is_time("123000.25"), is_time("noon")
    (True, False)
    """
    return re.fullmatch(r"(?a)\d{2,6}(?:\.\d{1,6})?|\d{2}(?::\d{2}){1,2}", text) is not None


def iso_date(text: str | None) -> str | None:
    """``YYYY-MM-DD`` of a DICOM date or date-time, None where it is none."""
    found = parse_date((text or "")[:10] if "." in (text or "")[:5] else (text or "")[:8])
    return None if found is None else found.isoformat()


def parse_date(text: str | None) -> date | None:
    """The day of a DICOM date, None where it is none."""
    clean = (text or "").strip(" \0").replace(".", "")
    if not re.fullmatch(r"(?a)\d{8}", clean):
        return None
    try:
        return date(int(clean[:4]), int(clean[4:6]), int(clean[6:]))
    except ValueError:
        return None


def age_string(age: str | None, born: str | None = None, seen: str | None = None) -> str | None:
    """A DICOM age (``045Y``, ``018M``) of at most `OLDEST` years, from an age or from two dates.

    None where neither tells.

    Examples
    --------
    >>> age_string("095Y"), age_string(None, "19600615", "20200614"), age_string("old")
    ('090Y', '059Y', None)
    """
    match = re.fullmatch(r"(?a)(\d{1,3})([DWMY])", (age or "").strip(" \0").upper())
    if match is not None:
        years = float(match[1]) * _YEARS[match[2]]
        if years >= 130:
            return None
        return f"{OLDEST:03}Y" if years >= OLDEST else f"{int(match[1]):03}{match[2]}"
    whole = _years_between(parse_date(born), parse_date(seen))
    return None if whole is None or not 0 <= whole < 130 else f"{min(whole, OLDEST):03}Y"


def age_years(age: str | None) -> str | None:
    """Whole years as text of a DICOM age."""
    match = re.fullmatch(r"(?a)(\d{3})([DWMY])", age or "")
    return None if match is None else str(int(float(match[1]) * _YEARS[match[2]] + 1e-9))


def years_of(age: str) -> float | None:
    """Years of an age such as ``045Y``, ``18M`` or ``3 w``; None where it is none.

    Examples
    --------
    >>> years_of("045Y"), years_of("18M"), years_of("45")
    (45.0, 1.5, None)
    """
    match = re.fullmatch(r"(?a)(\d{1,3})\s?([DWMY])", age.strip(" \0").upper())
    return None if match is None else float(match[1]) * _YEARS[match[2]]


def _years_between(born: date | None, seen: date | None) -> int | None:
    if born is None or seen is None:
        return None
    return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))


def _moved(text: str, days: int) -> date | None:
    found = parse_date(text)
    try:
        return None if found is None else found + timedelta(days=days)
    except OverflowError:
        return None
