"""A CSV as people write it: any usual encoding, delimiter and line end; every repair is told."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from latentdx.core.errors import StopError
from latentdx.core.remedies import REMEDIES

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_BOMS = {
    codecs.BOM_UTF8: ("utf-8-sig", "a byte order mark"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}
# Characters and marks of GB 2312, both bytes high; of accented letters two seldom stand together.
_CHINESE = re.compile(rb"(?:[\xa1-\xa9\xb0-\xf7][\xa1-\xfe]|[\x00-\x7f])*")
_SEPARATOR = re.compile(r"sep=.?[ \t]*(?:\r\n|\r|\n)", re.IGNORECASE)
NOT_KNOWN = ("nan", "na", "n/a", "#n/a", "<na>", "null")


@dataclass(frozen=True)
class CsvText:
    """Header and rows of cells, as text; `numbers` are the line numbers where the rows end."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...]


def read_csv_text(path: Path) -> CsvText:
    """Read a CSV; blank rows are left out. Raises `StopError` ``E_CSV``.

    Columns are casefolded, with ``_`` for spaces and hyphens.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        raise StopError("E_CSV", found, fix=REMEDIES["E_IO"], path=path) from None
    if data.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        found = "not a CSV but a workbook or an archive"
        raise StopError("E_CSV", found, fix="save the sheet as CSV (UTF-8)", path=path)
    text, notes = _decode(data, path)
    named = _SEPARATOR.match(text)  # Excel's own first line, sep=;
    text = text[named.end() :] if named else text
    first_line = next(iter(text.splitlines()), "")
    delimiter = max(_DELIMITERS, key=lambda mark: _count_columns(first_line, mark))
    if delimiter != ",":
        notes.append(f"{path.name}: columns are parted by {_DELIMITERS[delimiter]}")
    rows = _rows(text, delimiter, path)
    return _without_blanks(rows, notes, path, skipped=1 if named else 0)


def without_words_for_nothing(table: CsvText, name: str, *, keep: Collection[int]) -> CsvText:
    """The table with empty cells where they say NaN, NA, N/A or null, and a note where some did.

    Programs that write tables put these words where nothing is known; as a patient or a site
    they would be taken for one. The columns `keep` stay as they are.

    Examples
    --------
    >>> table = CsvText(("path", "site"), (("NA", "NA"),), (2,), ())
    >>> without_words_for_nothing(table, "a.csv", keep=(0,)).rows
    (('NA', ''),)
    """
    rows = tuple(
        tuple(
            "" if index not in keep and cell.strip().casefold() in NOT_KNOWN else cell
            for index, cell in enumerate(row)
        )
        for row in table.rows
    )
    pairs = zip(table.rows, rows, strict=True)
    count = sum(a != b for old, new in pairs for a, b in zip(old, new, strict=True))
    note = f"{name}: {count} cells that say NaN, NA, N/A or null are read as empty"
    return replace(table, rows=rows, notes=(*table.notes, *([note] if count else [])))


def _count_columns(line: str, delimiter: str) -> int:
    return len(next(csv.reader([line], delimiter=delimiter), []))


def _decode(data: bytes, path: Path) -> tuple[str, list[str]]:
    marked = (codec for bom, codec in _BOMS.items() if data.startswith(bom))
    # Without a mark: text that opens with an ASCII letter has a zero byte next in UTF-16 only.
    plain = ("utf-16-le", "UTF-16") if data[1:2] == b"\0" else ("utf-8", "")
    encoding, name = next(marked, plain)
    try:
        return data.decode(encoding), [f"{path.name}: {name} converted"] if name else []
    except UnicodeDecodeError:
        # What Excel writes on Chinese and on Western Windows.
        if _is_chinese(data):
            return data.decode("gb18030"), [f"{path.name}: not UTF-8, read as GB 18030"]
        note = f"{path.name}: not UTF-8, read as Windows-1252"
        return data.decode("cp1252", errors="replace"), [note]


def _is_chinese(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 are GB 2312, most characters being of its common ones."""
    if not _CHINESE.fullmatch(data):
        return False
    leads = re.sub(rb"[\x00-\x7f]", b"", data)[::2]
    rare = sum(0xD8 <= lead <= 0xF7 for lead in leads)  # by strokes, behind those in daily use
    return 2 * rare < len(leads)


def _rows(text: str, delimiter: str, path: Path) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        found = f"line {reader.line_num}: {error}"
        raise StopError("E_CSV", found, fix="save it again as CSV (UTF-8)", path=path) from None


def _without_blanks(
    rows: list[tuple[int, list[str]]], notes: list[str], path: Path, *, skipped: int
) -> CsvText:
    filled = [(number + skipped, row) for number, row in rows if any(cell.strip() for cell in row)]
    if len(filled) < len(rows):
        notes.append(f"{path.name}: {len(rows) - len(filled)} blank rows left out")
    if not filled:
        raise StopError("E_CSV", "the table is empty", fix="it needs a header", path=path)
    (_, header), *body = filled
    columns = tuple(column_name(name) for name in header)
    for number, row in body:
        if any(cell.strip() for cell in row[len(columns) :]):
            found = f"line {number} has {len(row)} cells, the header {len(columns)}"
            raise StopError("E_CSV", found, fix="quote cells that hold the delimiter", path=path)
    return CsvText(
        columns,
        tuple(_padded(row, len(columns)) for _, row in body),
        tuple(number for number, _ in body),
        tuple(notes),
    )


def column_name(name: str) -> str:
    """A column's name as it is stored, however it was written.

    Examples
    --------
    >>> column_name(" Age Years")
    'age_years'
    """
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _padded(row: list[str], width: int) -> tuple[str, ...]:
    return (*row[:width], *[""] * (width - len(row)))
