"""A DICOM file's own identifiers: refused where they could only do harm."""

from __future__ import annotations

import re
from typing import Any

from latentdx.core.errors import InputError

TAGS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")

# Digits and dots by the standard (PS3.5 section 9); some anonymisers write hexadecimal hashes.
_HARMLESS = re.compile(r"[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*")
_LONGEST = 64


def require_uids(ds: Any) -> None:
    """Refuse identifiers that are too long, or hold what no identifier does (``../``, NUL).

    They are never used as names here, but who wrote them meant no good, or the header is damaged.
    Missing and empty ones are no matter. Raises `InputError` ``E_UID``.
    """
    for keyword in TAGS:
        value = str(ds.get(keyword) or "").strip(" \0")
        if value and (len(value) > _LONGEST or not _HARMLESS.fullmatch(value)):
            raise InputError(
                "E_UID",
                f"{keyword} is no identifier: {len(value)} characters, or some that none has",
                fix="check where the file comes from; export it again",
            )
