"""What is known of scans beside the picture, column by column, as numbers for a small model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from latentdx.collection.table import CollectionTable
from latentdx.features.metadata import Column, metadata_columns, numbers_of

Floats = NDArray[np.float64]

ORDER = "order of patients"
"""Their rank by the number in their files' names; the numbers themselves are told nowhere."""

WORDS = "words in paths"
CONVERSIONS = "conversions"

_MOST_LEVELS, _FEWEST, _BINS, _MOST_WORDS = 12, 3, 8, 32
_DATE = re.compile(r"(?a)(\d{4})[-./]?(\d{2})[-./]?(\d{2})(?:[ T].*)?")
_LONGEST_NUMBER, _ALIKE = 12, 0.98


def probed_columns(table: CollectionTable) -> dict[str, Column]:
    """Text columns by name: those of `metadata_columns`, shape, kind of file, source, order.

    Columns of one value are left out. Days that a DICOM file tells are not among them: each
    patient's were moved by a number of days of their own, so their order means nothing.
    """
    columns = metadata_columns(table)
    found = {
        **columns,
        "shape": tuple(f"{rows / max(1, side):.2f}" for rows, side in table.native_shape[:, :2]),
        "kind of file": tuple(PurePosixPath(path).suffix.lower() for path in table.path.tolist()),
        "source": tuple(map(str, table.source.tolist())),
        "orientation": tuple(table.orientation.tolist()),
        ORDER: patient_numbers(table),
    }
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def patient_numbers(table: CollectionTable) -> Column:
    """The first number in the name of each scan's file, where it is the patient's.

    It is where patients are known, hardly any of them has two, and names are alike but for their
    numbers. ``""`` else.
    """
    names = [PurePosixPath(path.split("#")[0]).stem for path in table.path.tolist()]
    numbers = [match[0] if (match := re.search(r"\d+", name)) else "" for name in names]
    strange = np.char.startswith(table.patient, "scan:") | (table.patient == "")
    schemes = Counter(re.sub(r"\d+", "#", name) for name in names)
    if strange.any() or max(schemes.values()) < _ALIKE * len(names):
        return ("",) * len(names)
    shared: dict[str, set[str]] = {}
    for patient, number in zip(table.patient.tolist(), numbers, strict=True):
        shared.setdefault(patient, set()).add(number)
    several = sum(len(own) > 1 for own in shared.values())
    if several > (1 - _ALIKE) * len(shared):
        return ("",) * len(numbers)
    return tuple(number if len(number) <= _LONGEST_NUMBER else "" for number in numbers)


def path_words(table: CollectionTable) -> list[set[str]]:
    """The words in each scan's path; none where folders are named by the labels.

    There the path holds the label by construction, and nothing is hidden.
    """
    paths = [PurePosixPath(path.lower()) for path in table.path.tolist()]
    labels = [label.lower() for label in table.label.tolist()]
    by_folder = [label in path.parts[:-1] for path, label in zip(paths, labels, strict=True)]
    if np.mean(by_folder) > 0.5:
        return [set() for _ in paths]
    return [set(re.findall(r"[^\W\d_]+", str(path.with_suffix("")))) for path in paths]


def conversions_of(table: CollectionTable) -> list[set[str]]:
    """What was done to each scan's pixels, whatever the numbers in it."""
    return [{re.sub(r"\d+", "#", text) for text in done} for done in table.conversions]


def of_column(values: Column) -> Floats | None:
    """Numbers (N, D) of a column, None where it says the same of nearly all scans.

    Of many numbers or days: their ranks, and which eighth they lie in; of other values, which of
    the twelve commonest. Nothing is looked at but the column.

    Examples
    --------
    >>> of_column(("AP", "PA", "PA", "AP", "AP", "PA")).shape
    (6, 2)
    """
    numbers = as_numbers(values)
    if numbers is None:
        counts = Counter(values).most_common(_MOST_LEVELS)
        levels = [value for value, count in counts if count >= _FEWEST]
        return _joined([np.array([value == level for value in values]) for level in levels])
    missing = np.isnan(numbers)
    places = rankdata(np.where(missing, np.inf, numbers)) / len(numbers)
    places[missing] = places[~missing].mean()
    bins = np.minimum(_BINS - 1, (places * _BINS).astype(np.int64))
    return _joined([places, missing, *(bins == number for number in range(_BINS))])


def as_numbers(values: Column) -> Floats | None:
    """A column as numbers (N,), NaN where not known; None where it is of words or of few values."""
    filled = [value for value in values if value]
    found = numbers_of(values)
    if filled and all(_DATE.fullmatch(value) for value in filled):
        found = np.array([_day(value) for value in values], np.float64)
    known = found[~np.isnan(found)]
    enough = len(known) >= 0.9 * len(filled) and len(np.unique(known)) > _MOST_LEVELS
    return found if enough else None


def are_days(values: Column) -> bool:
    """Whether a column holds days such as ``2020-03-01``."""
    filled = [value for value in values if value]
    found = [_DATE.fullmatch(value) for value in filled]
    return bool(filled) and all(
        match and 1900 <= int(match[1]) <= 2100 and 1 <= int(match[2]) <= 12 for match in found
    )


def of_words(words: Sequence[set[str]]) -> Floats | None:
    """Which of the commonest words each scan has, (N, D); None where all have the same."""
    counts = Counter(word for own in words for word in own).most_common()
    some = [word for word, count in counts if _FEWEST <= count <= len(words) - _FEWEST]
    return _joined([np.array([word in own for own in words]) for word in some[:_MOST_WORDS]])


def _day(value: str) -> float:
    match = _DATE.fullmatch(value)
    return np.nan if match is None else float("".join(match.groups()))


def _joined(columns: Sequence[NDArray[np.bool_] | Floats]) -> Floats | None:
    numbers = [np.asarray(column, np.float64) for column in columns]
    varied = [column for column in numbers if np.ptp(column) > 0]
    return np.stack(varied, axis=1) if varied else None
