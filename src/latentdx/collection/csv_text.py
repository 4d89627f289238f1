"""A CSV as people write it: any usual encoding, delimiter and line end; every repair is told."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from latentdx.core.errors import StopError

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_BOMS = {
    codecs.BOM_UTF8: ("utf-8-sig", "a byte order mark"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}


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
        raise StopError("E_CSV", f"cannot be read: {error.strerror}", path=path) from None
    text, notes = _decode(data, path)
    first_line = next(iter(text.splitlines()), "")
    delimiter = max(_DELIMITERS, key=lambda mark: _count_columns(first_line, mark))
    if delimiter != ",":
        notes.append(f"{path.name}: columns are parted by {_DELIMITERS[delimiter]}")
    rows = _rows(text, delimiter, path)
    return _without_blanks(rows, notes, path)


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
        # What Excel writes on Western Windows.
        note = f"{path.name}: not UTF-8, read as Windows-1252"
        return data.decode("cp1252", errors="replace"), [note]


def _rows(text: str, delimiter: str, path: Path) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        found = f"line {reader.line_num}: {error}"
        raise StopError("E_CSV", found, fix="save it again as CSV (UTF-8)", path=path) from None


def _without_blanks(rows: list[tuple[int, list[str]]], notes: list[str], path: Path) -> CsvText:
    filled = [(number, row) for number, row in rows if any(cell.strip() for cell in row)]
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
