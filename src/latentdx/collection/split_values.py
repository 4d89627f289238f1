"""`split_by_value`: parts by patient in which small and large numbers are equally common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.split import Overlap, Split, split_by_patient
from latentdx.collection.table import CollectionTable, StrArray
from latentdx.collection.units import Pairs, unit_ids
from latentdx.collection.values import require_patients, values_of
from latentdx.core.errors import StopError

_BINS = (5, 3, 1)


def split_by_value(
    table: CollectionTable,
    *,
    seed: int,
    overlap: Overlap = "stop",
    labelled: int | None = None,
    near: Pairs | None = None,
) -> Split:
    """`split_by_patient` for labels that are numbers.

    Patients are drawn fifth by fifth of their mean value; where a part that the source gives lacks
    a fifth, by thirds, or at once. Raises its errors, and `StopError` ``E_TOO_FEW``.

    Examples
    --------
    >>> split = split_by_value(collection.metadata(), seed=0)  # doctest: +SKIP
    >>> split.counts()["test"]  # doctest: +SKIP
    200
    """
    if not table.is_labelled.any():
        raise StopError("E_NO_LABELS", "no scan has a label", fix="give --labels CSV")
    units = unit_ids(table, near)
    require_patients(len(np.unique(units[table.is_labelled])))
    for n_bins in _BINS:
        binned = replace(table, label=_bins(table, units, n_bins))
        try:
            parts = split_by_patient(
                binned, seed=seed, overlap=overlap, labelled=labelled, near=near
            ).parts
        except StopError as error:
            if error.code != "E_CLASS_SIZE":
                raise
            continue
        return Split(parts, Split.hash_of(table, parts))
    found = "train, tune, calibrate or test has no scan with a value"
    raise StopError("E_TOO_FEW", found, fix="give other parts, or none")


def _bins(table: CollectionTable, units: NDArray[np.int64], n_bins: int) -> StrArray:
    """The number of each labelled row's bin, by the mean of its unit; ``""`` for the others."""
    rows = np.flatnonzero(table.is_labelled)
    values = values_of(table.label[rows].tolist())
    names, place = np.unique(units[rows], return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(means, kind="stable")] = np.arange(len(names))  # units count from the first id
    found = np.full(len(table), "", "<U8")
    found[rows] = (rank * n_bins // len(names))[place].astype(np.str_)
    return found
