"""What a table or a header says of each scan, column by column, as text and as numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.csv_text import column_name
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.scans.dates import years_of
from latentdx.scans.scan import Scan

Column = tuple[str, ...]
Columns = Mapping[str, Column]

_OWN = ("site", "modality")
_SAME = {"age": "age_years", "age_years": "age"}  # a table's name, and that of a DICOM header
_PERSONS = {
    *("id", "pid", "patient", "patient_id", "patientid", "patient_no", "patient_number"),
    *("subject", "subject_id", "subjectid", "person", "person_id", "case", "case_id", "name"),
    *("study", "study_id", "series", "series_id", "scan", "scan_id", "image_id", "path", "file"),
    *("mrn", "ssn", "accession", "accession_number", "birth_date", "birthdate", "dob"),
}


def columns_of(table: CollectionTable, names: Sequence[str]) -> dict[str, Column]:
    """The values (N,) of columns of a collection, ``""`` where not known.

    ``site``, ``modality``, or any covariate; ``age`` stands for ``age_years`` of DICOM headers
    where the table has none, and the reverse.
    """
    own = {name: getattr(table, name).tolist() for name in _OWN if name in names}
    return {
        name: tuple(own[name])
        if name in _OWN
        else tuple(_value(told, name) for told in table.covariates)
        for name in names
    }


def columns_of_scans(scans: Sequence[Scan], names: Sequence[str]) -> dict[str, Column]:
    """The values (N,) of columns as the scans' own files, or a table beside them, tell them.

    Examples
    --------
    >>> scan = Scan(np.zeros((1, 2, 2), np.float32), (2, 2), covariates={"age_years": "45"})
    >>> columns_of_scans([scan], ["age", "sex"])
    {'age': ('45',), 'sex': ('',)}
    """
    return {
        name: tuple(
            str(getattr(scan, name) or "") if name in _OWN else _value(scan.covariates, name)
            for scan in scans
        )
        for name in names
    }


def _value(told: Mapping[str, str], name: str) -> str:
    return told.get(name) or told.get(_SAME.get(name, name), "")


def require_columns(table: CollectionTable, names: Sequence[str]) -> None:
    """Raise `StopError` ``E_COVARIATE`` for a column that is not there or names persons."""
    known = known_columns(table)
    for name in names:
        if names_persons(name):
            found = f"the column {name!r} tells who a patient is: a model would learn it by heart"
            raise StopError("E_COVARIATE", found, fix="leave it out of --covariates")
        if name not in known:
            fix = f"the collection has {', '.join(known) or 'none'}"
            raise StopError("E_COVARIATE", f"there is no column {name!r}", fix=fix)


def known_columns(table: CollectionTable) -> list[str]:
    """Names of the columns of which some scan of a collection says something; of no persons."""
    held = {name for covariates in table.covariates for name in covariates}
    held |= {_SAME[name] for name in held & _SAME.keys()}
    held |= {name for name in _OWN if (getattr(table, name) != "").any()}
    return sorted(name for name in held if not names_persons(name))


def names_persons(name: str) -> bool:
    """Whether a column's name says that it tells patients, studies or files apart.

    Examples
    --------
    >>> names_persons("Patient ID"), names_persons("age")
    (True, False)
    """
    return column_name(name) in _PERSONS


def numbers_in(name: str, values: Column) -> NDArray[np.float64]:
    """Numbers (N,), NaN where there is none; of a column of ages ``045Y`` is 45.

    Examples
    --------
    >>> numbers_in("age", ("45", "018M", "old", "inf")).tolist()
    [45.0, 1.5, nan, nan]
    """
    are_ages = name.casefold().startswith("age")
    return np.array([_number(value, are_ages=are_ages) for value in values], np.float64)


def _number(text: str, *, are_ages: bool) -> float:
    years = years_of(text) if are_ages else None
    try:
        number = float(text) if years is None else years
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
