"""What identifiers look like in text: names of DICOM, foreign UIDs, dates, addresses, numbers."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date
from typing import Literal

Severity = Literal["error", "warning", "info"]

_PERSON = re.compile(r"(?<![\w^])[A-Za-zÀ-ž][\wÀ-ž'.-]+\^[A-Za-zÀ-ž][\wÀ-ž'. -]*")
_UID = re.compile(r"(?<![\w.])[0-2](?:\.(?:0|[1-9]\d{0,38})){5,}(?![\w.])")
_DATE = re.compile(r"(?<![\w.-])(?:19|20)\d{6}(?![\w-]|\.\d)")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?<![\w.])\+\d{1,3}[ (-]{1,2}\d[\d ()/-]{6,}\d(?![\w.])")
_EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_OWN_UIDS = ("2.25.", "1.2.840.10008.")  # ours and the standard's


def looks_like(text: str) -> Iterator[tuple[str, Severity, int]]:
    """(kind, severity, place) of everything in a text that looks like an identifier.

    Examples
    --------
    >>> [kind for kind, _, _ in looks_like("DOE^JANE, seen 20200131, 2.25.123.4.5.6.7")]
    ['person-name', 'date']
    """
    for match in _PERSON.finditer(text):
        yield "person-name", "warning", match.start()
    for match in _UID.finditer(text):
        if not match[0].startswith(_OWN_UIDS):
            yield "uid", "warning", match.start()
    for match in _MAIL.finditer(text):
        yield "e-mail", "warning", match.start()
    for match in _PHONE.finditer(text):
        yield "phone", "info", match.start()
    for match in _DATE.finditer(text):
        if _is_date(match[0]):
            yield "date", "info", match.start()


def plain(text: str) -> str:
    """A text without embedded images, its escapes of JSON and HTML resolved.

    Examples
    --------
    >>> plain('<img src="data:image/png;base64,AAAA"> M&uuml;ller M\\\\u00fcller')
    '<img src=""> Müller Müller'
    """
    text = _EMBEDDED.sub("", text)
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return html.unescape(text)


def spellings(name: str) -> list[str]:
    """A name as given, and with the carets of DICOM replaced as exports do.

    Examples
    --------
    >>> spellings("Doe^Jane")
    ['Doe^Jane', 'Doe Jane', 'Doe_Jane', 'Doe, Jane', 'Doe,Jane', 'Jane Doe']
    """
    name = name.strip(" \0\t\r\n")
    parts = [part.strip() for part in name.split("^") if part.strip()]
    if len(parts) < 2:
        return [name.rstrip("^")] if name.strip("^") else []
    joined = [mark.join(parts) for mark in (" ", "_", ", ", ",")]
    return list(dict.fromkeys([name, *joined, f"{parts[1]} {parts[0]}"]))


def _is_date(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True
