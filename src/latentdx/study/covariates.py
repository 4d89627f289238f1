"""Covariates in a study: which are read, what is missing, and what they add to the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.findings import Findings
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.split import Split
from latentdx.collection.table import CollectionTable
from latentdx.collection.values import values_of
from latentdx.core.errors import StopError
from latentdx.features.covariate_values import (
    Column,
    columns_of,
    known_columns,
    numbers_in,
    require_columns,
)
from latentdx.features.covariates import Covariates
from latentdx.features.metadata import follows_line, names_the_label
from latentdx.scans.measures import PREFIX

MEASURES = "measures"
"""Stands for all columns that were measured in pictures."""

_LEAST_SPREAD = 1e-6


def fit_covariates(table: CollectionTable, split: Split, names: Sequence[str]) -> Covariates | None:
    """Covariates fitted on the training part; None where no column is asked for.

    Raises `StopError` ``E_COVARIATE`` for a column that is not there, names persons, is the label
    in other words, or says nothing.
    """
    if not names:
        return None
    names = _with_measures(table, split, names)
    require_columns(table, names)
    # Not by the labels of test: they are looked at once, when the model is finished.
    known = split.rows("train", "tune", "calibrate")
    _, labels = np.unique(table.label[known], return_inverse=True)
    _refuse_labels(columns_of(table.take(known), names), labels.astype(np.int64))
    train = table.take(split.rows("train"))
    return Covariates.fit(columns_of(train, names), train.patient_or_scan().tolist())


def _with_measures(table: CollectionTable, split: Split, names: Sequence[str]) -> tuple[str, ...]:
    """The names, `MEASURES` written out: all that was measured and differs in training.

    Raises `StopError` ``E_COVARIATE`` where nothing was.
    """
    if MEASURES not in names:
        return tuple(names)
    train = table.take(split.rows("train"))
    known = [name for name in known_columns(table) if name.startswith(PREFIX)]
    if not known:
        fix = "ingest again with --measures"
        raise StopError("E_COVARIATE", "nothing was measured in the pictures", fix=fix)
    told = columns_of(train, known)
    found = [name for name in known if np.nanstd(numbers_in(name, told[name])) > _LEAST_SPREAD]
    return tuple(dict.fromkeys([*(name for name in names if name != MEASURES), *found]))


def require_no_finding(
    table: CollectionTable, split: Split, covariates: Covariates, findings: Findings
) -> None:
    """Raise `StopError` ``E_COVARIATE`` where a column is one of the findings in other words."""
    known = table.take(split.rows("train", "tune", "calibrate"))
    columns = columns_of(known, covariates.names)
    for labels in findings.targets(known.label.tolist()).T:
        _refuse_labels(columns, labels)


def require_no_value(table: CollectionTable, split: Split, covariates: Covariates) -> None:
    """Raise `StopError` ``E_COVARIATE`` where a column follows the values on a line."""
    known = table.take(split.rows("train", "tune", "calibrate"))
    values = values_of(known.label.tolist())
    for name, column in columns_of(known, covariates.names).items():
        if follows_line(numbers_in(name, column), values):
            raise _is_the_label(name)


def _refuse_labels(columns: Mapping[str, Column], labels: NDArray[np.int64]) -> None:
    for name, values in columns.items():
        if names_the_label(values, labels):
            raise _is_the_label(name)


def _is_the_label(name: str) -> StopError:
    found = f"the column {name!r} is the label in other words"
    fix = "leave it out of --covariates: who asks for a diagnosis does not know it yet"
    return StopError("E_COVARIATE", found, fix=fix)


def told_of(
    table: CollectionTable, scan_ids: Sequence[str], names: Sequence[str]
) -> dict[str, Column]:
    """Values (N,) of columns of some scans of a collection, ``""`` where not known."""
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    return columns_of(table.take([rows[name] for name in scan_ids]), names)


def covariates_told(
    covariates: Covariates, table: CollectionTable, scan_ids: Sequence[str]
) -> dict[str, Any]:
    """For ``metrics.json``: the columns, and of how many of these scans each is not known."""
    missing = covariates.missing(told_of(table, scan_ids, covariates.names))
    counts = {name: sum(name in names for names in missing) for name in covariates.names}
    return {"columns": list(covariates.names), "n_scans": len(scan_ids), "missing": counts}


def tell_known(
    covariates: Covariates, table: CollectionTable, scans: LabelledScans, metrics: dict[str, Any]
) -> None:
    """What was known of the covariates of tested scans, into the metrics and the warnings."""
    told = covariates_told(covariates, table, scans.scan_ids.tolist())
    metrics["covariates"] = told
    metrics["warnings"] += missing_warnings(told)


def missing_warnings(told: dict[str, Any]) -> list[str]:
    """What to read with care: covariates that were not known."""
    return [
        f"the covariate {name!r} is not known of {count} of {told['n_scans']} test scans"
        for name, count in told["missing"].items()
        if count
    ]
