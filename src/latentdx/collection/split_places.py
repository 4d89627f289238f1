"""`split_leaving_out`: the scans of one place are tested, and nothing of it is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.split import Split
from latentdx.collection.split_folds import closed_rows, split_testing
from latentdx.collection.table import CollectionTable, StrArray
from latentdx.collection.units import Pairs, unit_ids

FEWEST_PATIENTS = 2
"""Patients of each class that a place needs to be tested."""


@dataclass(frozen=True)
class Places:
    """The values of a column, such as ``site``, that can be left out in turn.

    Attributes
    ----------
    values: (N,) the place of each scan, ``""`` where not known.
    tested: names of the places that can be tested, by their smallest scan id: neither the order of
        rows nor the key of the pseudonyms changes it.
    others: names of those that lack patients of a class.
    """

    values: StrArray
    tested: tuple[str, ...]
    others: tuple[str, ...]


def places_of(table: CollectionTable, values: Sequence[str], near: Pairs | None = None) -> Places:
    """Which places can be tested: those with two patients, or more, of every class.

    A test part that the source gives stays closed: its scans do not count.
    """
    told = np.array(values, np.str_)
    usable = table.is_labelled & ~closed_rows(table, unit_ids(table, near))
    patients = table.patient_or_scan()
    order = np.argsort(table.scan_id, kind="stable")
    names = list(dict.fromkeys(value for value in told[order].tolist() if value))

    def is_tested(name: str) -> bool:
        rows = usable & (told == name)
        counts = [len(np.unique(patients[rows & (table.label == one)])) for one in table.classes]
        return min(counts, default=0) >= FEWEST_PATIENTS

    tested = tuple(filter(is_tested, names))
    return Places(told, tested, tuple(name for name in names if name not in tested))


def split_leaving_out(
    table: CollectionTable,
    places: Places,
    name: str,
    *,
    seed: int,
    labelled: int | None = None,
    near: Pairs | None = None,
) -> Split:
    """The split in which the labelled scans of the place `name` are ``test``.

    ``excluded`` are: its scans without a label, scans of its patients (and nearly equal ones) at
    other places, scans of which the place is not known, as they may be of this one, and a test part
    that the source gives. The others are parted as in a fold, see `split_into_folds`.

    Raises the errors of `split_by_patient`.

    Examples
    --------
    >>> table = collection.metadata()  # doctest: +SKIP
    >>> places = places_of(table, table.site.tolist())  # doctest: +SKIP
    >>> split_leaving_out(table, places, places.tested[0], seed=0)  # doctest: +SKIP
    """
    units = unit_ids(table, near)
    here: NDArray[np.bool_] = places.values == name
    closed = closed_rows(table, units)
    tested = here & table.is_labelled & ~closed
    away = np.isin(units, units[here]) & ~here
    rest = closed | away | (places.values == "") | (here & ~tested)
    return split_testing(table, tested, rest, seed=seed, labelled=labelled, near=near)
