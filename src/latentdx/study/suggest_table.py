"""The table to be filled in: labels so far with their parts, and the scans that want one."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from latentdx.collection.csv_text import read_csv_text
from latentdx.collection.listing import entry_path
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic
from latentdx.study.suggest_parts import SuggestParts

_PATH_COLUMNS = ("path", "file", "filename", "image")


def write_label_table(
    to: Path,
    table: CollectionTable,
    parts: SuggestParts,
    suggested: Iterable[int],
    before: Path | None = None,
) -> None:
    """Write a CSV that ``ingest --labels`` takes once the empty labels are filled in.

    It holds `before`, the table so far (else path and label of what is labelled), with a column
    ``part``: labelled scans keep the part that they have, so that later labels move no patient into
    or out of the test part, and suggested ones are for ``train``: a test part of scans that were
    suggested would not be a fair sample. Without a split yet, parts stay as the source gives them.

    Cells are written as they are: a path has to lead to its file. Raises `StopError` ``E_CSV``
    where `before` cannot be read, ``E_DESTINATION`` where another table lies at `to`: labels may
    have been filled in.
    """
    told = _told(table)
    wanted = _wanted(table, parts, suggested)
    columns, rows = _known(before)
    path_column = next((name for name in columns if name in _PATH_COLUMNS), "path")
    placed = {os.path.normpath(row[path_column]) for row in rows}
    rows += [{path_column: path} for path in sorted(wanted.keys() - placed)]
    for row in rows:
        path = os.path.normpath(row[path_column])
        row["part"] = wanted.get(path) or row.get("part", "")
        row["label"] = row.get("label") or told.get(path, "")
    names = list(dict.fromkeys([*columns, path_column, "label", "part"]))
    data = _as_csv(names, rows)
    is_before = before is not None and to.exists() and to.samefile(before)
    if to.exists() and not is_before and to.read_bytes() != data:
        fix = "choose another --out, or remove it"
        raise StopError("E_DESTINATION", "another table lies there", fix=fix, path=to)
    write_atomic(to, data)


def _as_csv(names: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(errors="surrogateescape")


def _wanted(
    table: CollectionTable, parts: SuggestParts, suggested: Iterable[int]
) -> dict[str, str]:
    """The part of each file that is labelled or suggested, "" where it is to be drawn yet."""
    asked = set(suggested)
    found: dict[str, str] = {}
    for row, path in enumerate(table.path.tolist()):
        if row in asked:
            found[entry_path(path)] = "train" if parts.is_split else ""
        elif table.is_labelled[row]:
            is_drawn = parts.is_split and parts.parts[row] != "excluded"
            part = parts.parts[row] if is_drawn else table.given_part[row]
            found.setdefault(entry_path(path), str(part))
    return found


def _known(before: Path | None) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """The table so far: its columns, and its rows by column."""
    if before is None:
        return (), []
    told = read_csv_text(before)
    return told.columns, [dict(zip(told.columns, row, strict=True)) for row in told.rows]


def _told(table: CollectionTable) -> dict[str, str]:
    """The label of each labelled file."""
    rows = zip(table.path.tolist(), table.label.tolist(), table.is_labelled.tolist(), strict=True)
    return {entry_path(path): label for path, label, known in rows if known}
