"""The CSV beside the scans: which file has which label, patient, study, site and part."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from latentdx.collection.csv_text import read_csv_text, without_words_for_nothing
from latentdx.collection.listing import PART_NAMES
from latentdx.collection.row_paths import locate
from latentdx.core.errors import InputError, StopError

_ALIASES = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label",),
    "patient_id": ("patient_id",),
    "study_id": ("study_id",),
    "site": ("site",),
    "part": ("part",),
    "mask": ("mask",),
}
# A column close to one of these but not equal is a slip that would leak or lose something.
_GUARDED = ("path", "label", "patient_id")
_IDENTIFYING = {
    *("name", "patient_name", "patientname", "first_name", "last_name", "surname"),
    *("birth_date", "birthdate", "dob", "date_of_birth", "mrn", "ssn", "accession_number"),
    *("address", "phone", "email"),
}


@dataclass(frozen=True)
class ManifestRow:
    """One scan of the table; `number` is the line in the file, blank cells are None.

    `mask` is the path of its mask, found from the source or the table's own folder.
    """

    number: int
    path: str
    label: str | None
    patient: str | None
    study: str | None
    site: str | None
    part: str | None
    covariates: Mapping[str, str]
    mask: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The usable rows by path, the errors of the others by line, and what was repaired."""

    rows: Mapping[str, ManifestRow]
    errors: Mapping[int, InputError]
    notes: tuple[str, ...]
    has_labels: bool
    has_parts: bool


def read_manifest(
    csv_path: Path, source_root: Path, *, exists: Callable[[str], bool] | None = None
) -> Manifest:
    """Read the table of a source.

    Columns: ``path`` (or ``file``, ``filename``, ``image``), relative to `source_root`, or else to
    the table's own folder; optionally
    ``label``, ``patient_id``, ``study_id``, ``site``, ``part``, and ``mask``, the path of a mask of
    the scan, relative to `source_root` or to the table; every other one is a covariate,
    but columns that name a person are left out. `exists` says whether a relative path is a scan
    (default: whether the file exists).

    A row that names no file becomes an `InputError` ``E_MISSING_FILE`` or ``E_PATH`` (outside the
    source) in `Manifest.errors`. Raises `StopError`: ``E_CSV``,
    ``E_LABEL_CONFLICT`` (two labels for one scan).

    Examples
    --------
    >>> manifest = read_manifest(Path("labels.csv"), Path("scans"))  # doctest: +SKIP
    >>> manifest.rows["a/1.png"].label  # doctest: +SKIP
    'benign'
    """
    table = read_csv_text(csv_path)
    places = _places(table.columns, csv_path)
    kept = [places[name] for name in ("path", "label") if name in places]
    table = without_words_for_nothing(table, csv_path.name, keep=kept)
    is_there = exists or (lambda path: (source_root / path).is_file())
    found: list[ManifestRow] = []
    errors: dict[int, InputError] = {}
    n_beside = 0
    for number, cells in zip(table.numbers, table.rows, strict=True):
        row = _row(number, cells, places, csv_path)
        try:
            path, is_beside = locate(row.path, source_root, csv_path.parent, is_there)
            n_beside += is_beside
            found.append(replace(row, path=path, mask=_mask_of(row, source_root, csv_path)))
        except InputError as error:
            text = f"{error.found} ({csv_path.name}, line {number})"
            errors[number] = InputError(error.code, text, fix=error.fix, path=row.path)
    beside = [f"{csv_path.name}: {n_beside} paths read from its own folder"] if n_beside else []
    found, bare = _with_bare_labels(found, csv_path)
    rows, repeats = _unique(found, csv_path)
    return Manifest(
        rows,
        errors,
        (*table.notes, *_told(table.columns, places, csv_path), *bare, *beside, *repeats),
        has_labels="label" in places,
        has_parts="part" in places,
    )


def has_patient_column(csv_path: Path) -> bool:
    """Whether a CSV found beside the scans would tell their patients."""
    try:
        columns = read_csv_text(csv_path).columns
    except StopError:
        return False
    return "patient_id" in columns and any(name in columns for name in _ALIASES["path"])


def _places(columns: tuple[str, ...], csv_path: Path) -> dict[str, int]:
    """Column number of each known name, and of each covariate. Checks the header."""
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        text = f"the column {repeated[0]!r} is there twice"
        raise StopError("E_CSV", text, fix="rename one of them", path=csv_path)
    places: dict[str, int] = {}
    for known, aliases in _ALIASES.items():
        for alias in aliases:
            if alias in columns:
                places.setdefault(known, columns.index(alias))
    for known in _GUARDED:
        if known not in places:
            _check_absent(known, columns, csv_path)
    taken = set(places.values())
    covariates = {
        f"covariate:{name}": index
        for index, name in enumerate(columns)
        if name and index not in taken and name not in _IDENTIFYING
    }
    return {**places, **covariates}


def _check_absent(known: str, columns: tuple[str, ...], csv_path: Path) -> None:
    """Stop where the column is needed, or where another column must be a misspelling of it."""
    close = difflib.get_close_matches(known, columns, n=1, cutoff=0.8)
    if not close and known != "path":
        return
    names = ", ".join(repr(name) for name in columns)
    advice = f"did you mean {close[0]!r} for it? Rename that column" if close else "add the column"
    text = f"no column {' or '.join(map(repr, _ALIASES[known][:2]))}; columns: {names}"
    raise StopError("E_CSV", text, fix=advice, path=csv_path)


def _told(columns: tuple[str, ...], places: Mapping[str, int], csv_path: Path) -> list[str]:
    names = sorted(_IDENTIFYING.intersection(columns))
    told = [f"{csv_path.name}: {', '.join(names)} left out (identifies persons)"] if names else []
    if "label" not in places:
        told.append(f"{csv_path.name}: no column 'label', so no labels of it")
    return told


def _row(
    number: int, cells: tuple[str, ...], places: Mapping[str, int], csv_path: Path
) -> ManifestRow:
    values = {name: cells[index] for name, index in places.items() if cells[index].strip()}
    part = values.get("part")
    if part is not None and part.strip().casefold() not in PART_NAMES:
        text = f"line {number}: {part!r} is no part; parts: {', '.join(PART_NAMES)}"
        raise StopError("E_CSV", text, fix="correct it or leave it blank", path=csv_path)
    return ManifestRow(
        number,
        path=values.get("path", "").strip(),
        label=values.get("label"),
        patient=_stripped(values.get("patient_id")),
        study=_stripped(values.get("study_id")),
        site=_stripped(values.get("site")),
        part=None if part is None else PART_NAMES[part.strip().casefold()],
        mask=_stripped(values.get("mask")),
        covariates={
            name.removeprefix("covariate:"): value.strip()
            for name, value in values.items()
            if name.startswith("covariate:")
        },
    )


def _stripped(value: str | None) -> str | None:
    return None if value is None else value.strip()


def _mask_of(row: ManifestRow, root: Path, csv_path: Path) -> str | None:
    """Where the row's mask lies; what is not there is told when the scan is read."""
    if row.mask is None or "\0" in row.mask:
        return row.mask
    written = (row.mask, row.mask.replace("\\", "/"))
    places = [folder / name for folder in (root, csv_path.parent) for name in written]
    return str(next((place for place in places if place.is_file()), places[0]))


def _unique(rows: list[ManifestRow], csv_path: Path) -> tuple[dict[str, ManifestRow], list[str]]:
    """Rows by path: repeated rows dropped and told, contradicting ones refused."""
    unique: dict[str, ManifestRow] = {}
    conflicts: list[tuple[ManifestRow, ManifestRow]] = []
    n_repeats = 0
    for row in rows:
        first = unique.setdefault(row.path, row)
        if replace(row, number=first.number, label=_in_order(row)) != replace(
            first, label=_in_order(first)
        ):
            conflicts.append((first, row))
        n_repeats += row is not first
    if conflicts:
        raise _conflict(conflicts, csv_path)
    return unique, [f"{csv_path.name}: {n_repeats} repeated rows dropped"] if n_repeats else []


def _with_bare_labels(
    rows: list[ManifestRow], csv_path: Path
) -> tuple[list[ManifestRow], list[str]]:
    """Labels without spaces around them, unless two that are told apart by them would be one."""
    labels = {row.label for row in rows if row.label is not None}
    if all(label == label.strip() for label in labels):
        return rows, []
    if len({label.strip() for label in labels}) < len(labels):
        return rows, []
    bare = [row if row.label is None else replace(row, label=row.label.strip()) for row in rows]
    return bare, [f"{csv_path.name}: spaces around labels left out"]


def _in_order(row: ManifestRow) -> str | None:
    """The label; of several findings in an order that says nothing."""
    return None if row.label is None else ";".join(sorted(row.label.split(";")))


def _conflict(pairs: list[tuple[ManifestRow, ManifestRow]], csv_path: Path) -> StopError:
    by_label = [pair for pair in pairs if _in_order(pair[0]) != _in_order(pair[1])]
    if by_label:
        shown = "; ".join(
            f"{first.path}: {first.label!r} (line {first.number}), "
            f"{row.label!r} (line {row.number})"
            for first, row in by_label[:10]
        )
        text = f"{len(by_label)} scans have two labels: {shown}"
        return StopError("E_LABEL_CONFLICT", text, fix="keep one row a scan", path=csv_path)
    first, row = pairs[0]
    text = f"lines {first.number} and {row.number} say different things of {first.path}"
    return StopError("E_CSV", text, fix="keep one row a scan", path=csv_path)
