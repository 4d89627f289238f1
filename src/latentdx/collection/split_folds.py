"""`split_into_folds`: splits of which each labelled scan is tested in one, and in one only."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.allocate import Fractions
from latentdx.collection.split import Split, split_by_patient
from latentdx.collection.table import CollectionTable
from latentdx.collection.units import Pairs, unit_ids
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed, numpy_generator

Ints = NDArray[np.int64]

# Of what is not tested, tune and calibrate get the shares that they have in a run of one split:
# with five folds all parts are as large as there. The last is not used: what is tested is given.
_FRACTIONS: Fractions = (0.55, 0.125, 0.125, 0.2)
_UNTESTED = -1


def split_into_folds(
    table: CollectionTable,
    n_folds: int,
    *,
    seed: int,
    labelled: int | None = None,
    near: Pairs | None = None,
) -> list[Split]:
    """One split for each fold: its scans are ``test``, the others are parted by patient.

    Patients, and scans that are equal or nearly so (`near`), stay together as they do in
    `split_by_patient`, which parts the others: train, tune, calibrate, pretrain and excluded are
    what they are there, and `labelled` is of each fold's train. A test part that the source gives
    stays closed: its scans, and those of its patients, are ``excluded`` in every fold. Other given
    parts are drawn anew.

    Raises `StopError` ``E_CLASS_SIZE`` where a class has fewer patients than there are folds, and
    the errors of `split_by_patient`.

    Examples
    --------
    >>> splits = split_into_folds(collection.metadata(), 5, seed=0)  # doctest: +SKIP
    >>> sum(split.counts()["test"] for split in splits)  # doctest: +SKIP
    253
    """
    units = unit_ids(table, near)
    closed = closed_rows(table, units)
    fold = folds_of(table, units, table.is_labelled & ~closed, n_folds, seed=seed)
    return [
        split_testing(
            table,
            fold == number,
            closed,
            seed=derive_seed(seed, "fold", number),
            labelled=labelled,
            near=near,
        )
        for number in range(n_folds)
    ]


def closed_rows(table: CollectionTable, units: Ints) -> NDArray[np.bool_]:
    """Scans of a test part that the source gives, and others of their `units`."""
    given = table.is_labelled & (table.given_part == "test")
    found: NDArray[np.bool_] = np.isin(units, units[given])
    return found


def folds_of(
    table: CollectionTable, units: Ints, usable: NDArray[np.bool_], n_folds: int, *, seed: int
) -> Ints:
    """(N,) the fold of each usable row, -1 of the others: classes alike in all, units whole.

    The units of the rarest class are dealt out first, the largest before the others, each to the
    fold with the fewest scans of that class, then with the fewest scans.
    """
    rows = np.flatnonzero(usable)
    pairs = list(zip(units[rows].tolist(), table.label[rows].tolist(), strict=True))
    sizes, held = Counter(pairs), _held(pairs)
    n_scans = Counter(unit for unit, _ in pairs)
    fold: dict[int, int] = {}
    in_all: Counter[int] = Counter()
    for name in sorted(held, key=lambda name: (len(held[name]), name)):
        if len(held[name]) < n_folds:
            raise _too_few(name, len(held[name]), n_folds)
        of_class: Counter[int] = Counter()
        for unit in held[name] & fold.keys():
            of_class[fold[unit]] += sizes[unit, name]
        rest = sorted(held[name] - fold.keys())
        numpy_generator(seed, "folds", name).shuffle(rest)
        for unit in sorted(rest, key=lambda unit: -sizes[unit, name]):
            to = min(range(n_folds), key=lambda at: (of_class[at], in_all[at]))
            fold[unit] = to
            of_class[to] += sizes[unit, name]
            in_all[to] += n_scans[unit]
    found = np.full(len(table), _UNTESTED)
    found[rows] = [fold[unit] for unit, _ in pairs]
    return found


def _held(pairs: list[tuple[int, str]]) -> dict[str, set[int]]:
    """The units with scans of each class."""
    found: dict[str, set[int]] = {}
    for unit, name in pairs:
        found.setdefault(name, set()).add(unit)
    return found


def split_testing(
    table: CollectionTable,
    tested: NDArray[np.bool_],
    closed: NDArray[np.bool_],
    *,
    seed: int,
    labelled: int | None,
    near: Pairs | None,
) -> Split:
    """The split of which the scans `tested` are ``test``; those `closed` are ``excluded``."""
    given = np.where(table.is_labelled, "", table.given_part)
    seen = replace(
        table,
        label=np.where(closed, "", table.label),
        given_part=np.where(tested | closed, "test", given),
    )
    parts = split_by_patient(
        seen, seed=seed, fractions=_FRACTIONS, labelled=labelled, near=near
    ).parts
    return Split(parts, Split.hash_of(table, parts))


def _too_few(name: str, n_patients: int, n_folds: int) -> StopError:
    found = f"the class {name!r} has {n_patients} patients, for {n_folds} folds"
    fix = "give fewer --folds, or add scans of more patients"
    return StopError("E_CLASS_SIZE", found, fix=fix)
