"""`Covariates`: age, sex, view and the like as numbers that stand beside a scan's features.

Fitted on the training part alone. Each column has a variance of about 1 over it, whatever it
holds, so that one number can weigh all of them against the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_bytes
from latentdx.features.covariate_values import Column, Columns, columns_of_scans, numbers_in
from latentdx.scans.scan import Scan

Floats = NDArray[np.float32]

FEWEST_PATIENTS = 3
"""Patients who share a value before it counts: what fewer have would tell who they are."""

_NUMERIC = 0.9  # share of the values that are numbers in a column of numbers


@dataclass(frozen=True)
class Number:
    """A column of numbers: (x - mean) / scale, the median where there is none.

    `flags`: whether a second number says that there is none; only where that was met in training,
    since a number that never varied there would set a scan apart from all others.
    """

    name: str
    mean: float
    scale: float
    median: float
    flags: bool

    @property
    def width(self) -> int:
        """Numbers a scan."""
        return 1 + self.flags

    def known(self, values: Column) -> NDArray[np.bool_]:
        """(N,), where a value says something."""
        found: NDArray[np.bool_] = ~np.isnan(numbers_in(self.name, values))
        return found

    def encode(self, values: Column) -> NDArray[np.float64]:
        """(N, width)."""
        numbers, known = numbers_in(self.name, values), self.known(values)
        scaled = (np.where(known, numbers, self.median) - self.mean) / self.scale
        flags = [(~known).astype(np.float64)] if self.flags else []
        return np.stack([scaled, *flags], axis=1)


@dataclass(frozen=True)
class Category:
    """A column of words: one number a level, all 0 where the word is none of them.

    `levels` are hashes (`level_key`): the words stay where they are. `flags` as of `Number`.
    """

    name: str
    levels: tuple[str, ...]
    scale: float
    flags: bool

    @property
    def width(self) -> int:
        """Numbers a scan."""
        return len(self.levels) + self.flags

    def known(self, values: Column) -> NDArray[np.bool_]:
        """(N,), where a value is one of the levels."""
        return np.array([level_key(value) in self.levels for value in values], np.bool_)

    def encode(self, values: Column) -> NDArray[np.float64]:
        """(N, width)."""
        keys = np.array([level_key(value) for value in values], np.str_)
        found = [keys == level for level in self.levels]
        found += [np.array([not value for value in values])] if self.flags else []
        return np.stack(found, axis=1) / self.scale


AnyColumn: TypeAlias = Number | Category


@dataclass(frozen=True)
class Covariates:
    """The columns that a model reads beside the picture, and how they become numbers.

    Examples
    --------
    >>> told = {"age": ("40", "50", "", "60"), "sex": ("F", "M", "F", "")}
    >>> fitted = Covariates.fit({name: 3 * values for name, values in told.items()}, range(12))
    >>> fitted.names, fitted.width, fitted.encode(told).shape
    (('age', 'sex'), 5, (4, 5))
    >>> fitted.encode({"age": ("50",), "sex": ("X",)}).round(2).tolist()
    [[0.0, 0.0, 0.0, 0.0, 0.0]]
    >>> fitted.missing({"age": ("50", ""), "sex": ("X", "M")})
    [('sex',), ('age',)]
    """

    columns: tuple[AnyColumn, ...]

    @classmethod
    def fit(cls, told: Columns, patients: Sequence[object]) -> Covariates:
        """From the training part's columns (N,), by name, and the patients (N,) of its scans.

        A column of numbers is standardised, any other has a number a level that three patients
        share. Raises `StopError` ``E_COVARIATE`` where a column says the same of every scan, or
        something else of every patient.
        """
        return cls(tuple(_fitted(name, values, patients) for name, values in told.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def width(self) -> int:
        """Numbers a scan."""
        return sum(column.width for column in self.columns)

    def encode(self, told: Columns) -> Floats:
        """Numbers (N, width) of columns (N,) by name."""
        found = [column.encode(told[column.name]) for column in self.columns]
        return np.concatenate(found, axis=1).astype(np.float32)

    def encode_scans(self, scans: Sequence[Scan]) -> Floats:
        """Numbers (N, width) of scans, by what their files say."""
        return self.encode(columns_of_scans(scans, self.names))

    def unknown(self, n_scans: int) -> Floats:
        """What scans get of which nothing is known."""
        return self.encode(dict.fromkeys(self.names, ("",) * n_scans))

    def missing(self, told: Columns) -> list[tuple[str, ...]]:
        """Of each scan the names of columns that say nothing that the model knows."""
        known = {column.name: column.known(told[column.name]).tolist() for column in self.columns}
        n_scans = len(next(iter(known.values()), ()))
        return [tuple(name for name in known if not known[name][row]) for row in range(n_scans)]

    def missing_in(self, scan: Scan) -> tuple[str, ...]:
        """Names of columns of which the scan's file says nothing that the model knows."""
        return self.missing(columns_of_scans([scan], self.names))[0]


def level_key(value: str) -> str:
    """Sixteen hex digits that stand for a word, ``""`` for none: no value is in a bundle.

    Examples
    --------
    >>> len(level_key("F")), level_key("")
    (16, '')
    """
    return hash_bytes(value.encode())[:16] if value else ""


def _fitted(name: str, values: Column, patients: Sequence[object]) -> AnyColumn:
    numbers = numbers_in(name, values)
    filled = np.array([value != "" for value in values], np.bool_)
    known = ~np.isnan(numbers)
    if known.any() and known.sum() >= _NUMERIC * filled.sum():
        return _number(name, numbers[known], flags=bool((~known).sum() >= FEWEST_PATIENTS))
    return _category(name, values, patients)


def _number(name: str, numbers: NDArray[np.float64], *, flags: bool) -> Number:
    mean, scale = float(numbers.mean()), float(numbers.std())
    if scale <= 1e-9 * max(1.0, abs(mean)):
        raise _refused(name, "says the same of every training scan", "leave it out")
    return Number(name, mean, scale, float(np.median(numbers)), flags)


def _category(name: str, values: Column, patients: Sequence[object]) -> Category:
    holders: dict[str, set[object]] = {}
    for value, patient in zip(values, patients, strict=True):
        holders.setdefault(value, set()).add(patient)
    # The commonest first, not by name: pseudonyms of sites differ between keys.
    common = sorted(holders, key=lambda value: -len(holders[value]))
    shared = [value for value in common if len(holders[value]) >= FEWEST_PATIENTS]
    levels, flags = [value for value in shared if value], "" in shared
    if not levels:
        found = f"has no value that {FEWEST_PATIENTS} patients of the training part share"
        raise _refused(name, found, "leave it out, or write its values alike")
    held = np.array(values)
    spread = sum(float((held == level).var()) for level in shared)
    if spread == 0:
        raise _refused(name, "says the same of every training scan", "leave it out")
    return Category(name, tuple(map(level_key, levels)), float(np.sqrt(spread)), flags)


def _refused(name: str, found: str, fix: str) -> StopError:
    return StopError("E_COVARIATE", f"the column {name!r} {found}", fix=fix)
