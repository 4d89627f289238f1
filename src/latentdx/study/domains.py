"""Aligning domains while the autoencoder learns: which there are, and what is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.engine.domains import UNKNOWN, Domains
from latentdx.autoencoder.engine.fit import Pool
from latentdx.autoencoder.objectives.names import DOMAIN_OBJECTIVES
from latentdx.collection.labelled import ordered_rows
from latentdx.collection.split import Split
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_array
from latentdx.features.covariate_values import columns_of, known_columns, names_persons
from latentdx.report.alignment import alignment_words
from latentdx.study.pool import training_pool
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings

FEWEST = 8
"""Scans of a domain to learn from: those of fewer are not aligned."""
_MOST = 20


def asked(settings: RunSettings) -> dict[str, float]:
    """The objectives that align domains, with their weights."""
    return {name: w for name, w in settings.objectives.items() if name in DOMAIN_OBJECTIVES}


def column_of(settings: RunSettings) -> str:
    """The column that tells the domains."""
    return settings.domain or "site"


def check_asked(settings: RunSettings) -> None:
    """Before scans are read, raise `StopError` ``E_OPTION`` for what would have no effect."""
    names = " or ".join(f"--objective {name}" for name in DOMAIN_OBJECTIVES)
    if settings.domain is not None and not asked(settings):
        raise StopError("E_OPTION", "--domain aligns nothing by itself", fix=f"add {names}")
    if asked(settings) and settings.epochs == 0:
        found = f"--objective {next(iter(asked(settings)))} with --epochs 0: nothing is trained"
        raise StopError("E_OPTION", found, fix="leave one of them out")


def pool_of(prepared: Prepared, settings: RunSettings, clock: Clock) -> Pool:
    """What the autoencoder learns from, with the domains that are to be aligned; they are told."""
    found = domains_of(prepared.table, prepared.split, settings)
    if told := alignment_told(found, settings):
        clock.note(f"domain alignment: {alignment_words(told)}")
    return training_pool(prepared.collection, prepared.split)._replace(domains=found)


def domains_of(table: CollectionTable, split: Split, settings: RunSettings) -> Domains | None:
    """The domains of the scans that are learned from and judged by; None where none is asked for.

    In the order of `training_pool`. Numbered by the scans' ids. Raises `StopError` ``E_OPTION``
    where there is no such column, it tells who a patient is, or it has, of the scans to learn
    from, fewer than two values of 8 scans, or more than 20.
    """
    if not asked(settings):
        return None
    column = column_of(settings)
    _require(table, column)
    values = np.array(columns_of(table, [column])[column], dtype=object)
    train = values[ordered_rows(table, split, "train", "pretrain")].tolist()
    counts = Counter(value for value in train if value)
    names = tuple(name for name, count in counts.items() if count >= FEWEST)
    if not 2 <= len(names) <= _MOST:
        found = f"--domain {column}: {len(names)} values have {FEWEST} scans to learn from"
        fix = f"give a column of 2 to {_MOST} values, or leave the objective out"
        raise StopError("E_OPTION", found, fix=fix)
    tune = values[ordered_rows(table, split, "tune")].tolist()
    return Domains(names, *(_numbered(part, names) for part in (train, tune)))


def alignment_told(domains: Domains | None, settings: RunSettings) -> dict[str, Any]:
    """For metrics and encoders: by what was aligned, and how many scans each value has.

    Empty where nothing was aligned.
    """
    if domains is None:
        return {}
    counts = {name: int((domains.train == code).sum()) for code, name in enumerate(domains.names)}
    return {
        "objectives": asked(settings),
        "column": column_of(settings),
        "values": counts,
        "unknown": int((domains.train == UNKNOWN).sum()),
    }


def hashes_of(domains: Domains | None) -> list[str]:
    """What a checkpoint's training depends on: SHA-256 (hex) of the domains; empty without."""
    return [] if domains is None else [hash_array(domains.train), hash_array(domains.tune)]


def _numbered(values: Iterable[str], names: tuple[str, ...]) -> NDArray[np.int64]:
    numbers = {name: code for code, name in enumerate(names)}
    return np.array([numbers.get(value, UNKNOWN) for value in values], np.int64)


def _require(table: CollectionTable, column: str) -> None:
    known = known_columns(table)
    if column in known and not names_persons(column):
        return
    fix = f"the collection has {', '.join(known) or 'no columns'}"
    raise StopError("E_OPTION", f"--domain: there is no column {column!r}", fix=fix)
