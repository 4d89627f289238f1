"""Covariates in a study: which are read, what is missing, and what they add to the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.findings import Findings
from latentdx.collection.split import Split
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.features.covariate_values import Column, columns_of, require_columns
from latentdx.features.covariates import Covariates
from latentdx.features.metadata import names_the_label
from latentdx.metrics.estimate import Estimate
from latentdx.report.verdict import FEWEST_PATIENTS


def fit_covariates(table: CollectionTable, split: Split, names: Sequence[str]) -> Covariates | None:
    """Covariates fitted on the training part; None where no column is asked for.

    Raises `StopError` ``E_COVARIATE`` for a column that is not there, names persons, is the label
    in other words, or says nothing.
    """
    if not names:
        return None
    require_columns(table, names)
    # Not by the labels of test: they are looked at once, when the model is finished.
    known = split.rows("train", "tune", "calibrate")
    _, labels = np.unique(table.label[known], return_inverse=True)
    _refuse_labels(columns_of(table.take(known), names), labels.astype(np.int64))
    train = table.take(split.rows("train"))
    return Covariates.fit(columns_of(train, names), train.patient_or_scan().tolist())


def require_no_finding(
    table: CollectionTable, split: Split, covariates: Covariates, findings: Findings
) -> None:
    """Raise `StopError` ``E_COVARIATE`` where a column is one of the findings in other words."""
    known = table.take(split.rows("train", "tune", "calibrate"))
    columns = columns_of(known, covariates.names)
    for labels in findings.targets(known.label.tolist()).T:
        _refuse_labels(columns, labels)


def _refuse_labels(columns: Mapping[str, Column], labels: NDArray[np.int64]) -> None:
    for name, values in columns.items():
        if names_the_label(values, labels):
            found = f"the column {name!r} is the label in other words"
            fix = "leave it out of --covariates: who asks for a diagnosis does not know it yet"
            raise StopError("E_COVARIATE", found, fix=fix)


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


def missing_warnings(told: dict[str, Any]) -> list[str]:
    """What to read with care: covariates that were not known."""
    return [
        f"the covariate {name!r} is not known of {count} of {told['n_scans']} test scans"
        for name, count in told["missing"].items()
        if count
    ]


def worth_sentence(gain: Estimate, metric: str = "AUROC") -> str:
    """Whether the covariates are worth it, in words; `gain` is that of the metric, paired."""
    few = gain.n_patients < FEWEST_PATIENTS
    if few or gain.value is None or gain.low is None or gain.high is None:
        return "What the covariates add cannot be told on this test part."
    found = f"With them the {metric} is {gain.value:+.3f} against the picture alone "
    found += f"(95 % interval {gain.low:+.3f} to {gain.high:+.3f})"
    if gain.low > 0:
        return f"{found}: they are worth it."
    return f"{found}: {'they harm.' if gain.high < 0 else 'it is not sure that they help.'}"
