"""Values of the confidentiality profile: dummies, new UIDs, and what may stay by its value."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from latentdx.scans.profile_terms import KEPT

NUMBERS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "SV", "UV", "AT"})
BINARIES = frozenset(
    {"PixelData", "FloatPixelData", "DoubleFloatPixelData", "LUTData",
     "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
     "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
     "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData"}
)  # fmt: skip
"""The only attributes whose bytes are kept."""

# A code is kept where its scheme is public and it looks like one of that scheme (PS3.16 section 8).
_CODES = {
    "DCM": re.compile(r"(?a)\d{6}"),
    "SCT": re.compile(r"(?a)\d{6,18}"),
    "SRT": re.compile(r"[A-Z][A-Z0-9]?-[A-F0-9]{4,5}"),
    "LN": re.compile(r"(?a)\d{4,5}-\d"),
    "FMA": re.compile(r"(?a)\d{4,6}"),
    "RADLEX": re.compile(r"(?a)RID\d{2,6}"),
    "UCUM": re.compile(r"1|%|mm2?|cm[23]?|ml|g|kg|s|ms|min|Hz|kV|mA|mGy|Gy|HU|\[hnsf'U\]|Bq/ml"),
}
_DUMMIES: dict[str, Any] = {
    "DA": "19000101", "DT": "19000101000000", "TM": "000000", "AS": "000D", "DS": "0", "IS": "0",
    "UR": "urn:removed", "FL": 0.0, "FD": 0.0, "US": 0, "SS": 0, "UL": 0, "SL": 0, "SV": 0, "UV": 0,
    "AT": 0, "OF": b"\0" * 4, "OL": b"\0" * 4, "OD": b"\0" * 8, "OV": b"\0" * 8, "OB": b"\0\0",
    "OW": b"\0\0", "UN": b"\0\0",
}  # fmt: skip


def dummy(vr: str) -> Any:
    """A value that says nothing and is valid for the value representation (not for ``SQ``)."""
    return _DUMMIES.get(vr, "REMOVED")


def new_uid(uid: str, key: bytes) -> str:
    """A UID under 2.25 (PS3.5 B.2) in place of another: the same one for the same UID and key.

    128 bits of keyed BLAKE2b, marked as a version 8 UUID (RFC 9562).

    Examples
    --------
    >>> new_uid("1.2.3", b"k") == new_uid("1.2.3 ", b"k") != new_uid("1.2.4", b"k")
    True
    """
    text = uid.strip(" \0\t\r\n").encode()
    digest = hashlib.blake2b(text, digest_size=16, key=key, person=b"uid").digest()
    number = int.from_bytes(digest, "big") & ~(0xF << 76) & ~(0x3 << 62)
    return f"2.25.{number | 0x8 << 76 | 0x2 << 62}"


@functools.cache
def well_known_uids() -> frozenset[str]:
    """UIDs that the standard itself gives: SOP classes, transfer syntaxes and the like."""
    from pydicom._uid_dict import UID_dictionary

    return frozenset(UID_dictionary)


def values_of(value: Any) -> list[Any]:
    """The values of an element as a list; none for an empty one."""
    if value is None or value == "":
        return []
    is_many = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return list(value) if is_many else [value]


def kept_terms(keyword: str, value: Any) -> list[str]:
    """The leading values that are defined terms of the attribute (see `KEPT`).

    Examples
    --------
    >>> kept_terms("ImageType", ["ORIGINAL", "PRIMARY", "DOE^JANE", "AXIAL"])
    ['ORIGINAL', 'PRIMARY']
    """
    terms = KEPT.get(keyword)
    if terms is None:
        return []
    texts = [str(item).strip(" \0").upper() for item in values_of(value)]
    return list(takewhile(terms.__contains__, texts))


def kept_numbers(value: Any) -> list[Any] | None:
    """The values where all are finite numbers, else None: a library may leave text as text."""
    values = values_of(value)
    if any(isinstance(item, str | bytes) for item in values):
        return None
    try:
        finite = all(math.isfinite(float(item)) for item in values)
    except (TypeError, ValueError):
        return None
    return values if finite else None


def plain_decimal(value: Any) -> str:
    """A decimal string (PS3.5 6.2, at most 16 characters) made anew from a number.

    Examples
    --------
    >>> plain_decimal(0.1234567890123456), plain_decimal(2)
    ('0.12345678901235', '2')
    """
    number = float(value)
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    for digits in range(17, 8, -1):
        text = f"{number:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{number:.8g}"


def is_public_code(code: str, scheme: str) -> bool:
    """Whether a code is of a public scheme and looks like one of its codes.

    Examples
    --------
    >>> is_public_code("113100", "DCM"), is_public_code("DOE", "DCM")
    (True, False)
    """
    pattern = _CODES.get(scheme.strip(" \0"))
    return pattern is not None and pattern.fullmatch(code.strip(" \0")) is not None
