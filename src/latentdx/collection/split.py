"""`split_by_patient`: parts that share no patient and no picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.allocate import Draft, Fractions, draw_labelled
from latentdx.collection.labels import class_size_error
from latentdx.collection.table import CollectionTable, StrArray
from latentdx.collection.units import Pairs, groups_of, unit_ids
from latentdx.core.errors import IntegrityError, LeakageError, StopError
from latentdx.core.hashing import hash_json

Part = Literal["train", "tune", "calibrate", "test", "pretrain", "excluded"]
Overlap = Literal["stop", "drop", "allow"]

LABELLED_PARTS = ("train", "tune", "calibrate", "test")
HELD_OUT_PARTS = ("tune", "calibrate", "test")
_DECLARED_OUT = ("val", *HELD_OUT_PARTS)

_SHOWN = 5


@dataclass(frozen=True)
class Split:
    """Which scan serves what.

    Attributes
    ----------
    parts: (N,) one `Part` for each row of the table: ``pretrain`` scans serve the autoencoder
        only, ``excluded`` ones nothing.
    hash: SHA-256 (hex) over scan ids, pixels, labels and parts; travels with all that is made
        from the split.
    """

    parts: StrArray
    hash: str

    def rows(self, *names: Part) -> NDArray[np.int64]:
        """Numbers of the rows in these parts, ascending."""
        return np.flatnonzero(np.isin(self.parts, names))

    def counts(self) -> dict[str, int]:
        """Number of scans by part."""
        counts = Counter(self.parts.tolist())
        return {name: counts[name] for name in get_args(Part)}

    def check(self, table: CollectionTable) -> None:
        """Raise `IntegrityError` ``E_SPLIT`` unless the split was made from this table."""
        if len(table) != len(self.parts) or _hash(table, self.parts) != self.hash:
            raise IntegrityError(
                "E_SPLIT",
                "the split was made from other scans or labels",
                fix="start again in another folder",
            )

    def as_json(self) -> dict[str, Any]:
        """For `from_json`."""
        return {"hash": self.hash, "parts": self.parts.tolist()}

    @staticmethod
    def hash_of(table: CollectionTable, parts: StrArray) -> str:
        """The hash of a split with these parts."""
        return _hash(table, parts)

    @classmethod
    def for_pretraining(cls, table: CollectionTable, near: Pairs | None = None) -> Split:
        """All scans serve the autoencoder: for collections without labels.

        Not those of patients of whom the source holds something out, nor near copies of these.
        """
        units = unit_ids(table, near)
        held_out = units[np.isin(table.given_part, _DECLARED_OUT)]
        parts = np.where(np.isin(units, held_out), "excluded", "pretrain")
        return cls(parts, _hash(table, parts))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Split:
        """Undo `as_json`. Raises `IntegrityError` ``E_SPLIT`` for an unknown part."""
        unknown = set(value["parts"]) - set(get_args(Part))
        if unknown:
            raise IntegrityError("E_SPLIT", f"unknown parts: {sorted(unknown)}")
        return cls(np.array(value["parts"], np.str_), value["hash"])


def split_by_patient(  # noqa: PLR0913 - each a setting of its own
    table: CollectionTable,
    *,
    seed: int,
    fractions: Fractions = (0.6, 0.1, 0.1, 0.2),
    overlap: Overlap = "stop",
    labelled: int | None = None,
    several: bool = False,
    near: Pairs | None = None,
) -> Split:
    """Divide scans into parts so that no patient and no picture is in two of them.

    The unit is a patient, or several who share identical pixels, or scans that are nearly equal:
    the pairs `near` (P, 2) of rows (see `kept_near_duplicates`). `fractions` (train, tune,
    calibrate, test) count units, class by class; a unit's class is its rarest. Parts that the
    source gives are honoured: ``val`` becomes tune and calibrate, and what is missing is drawn
    from train. A unit given in train and held-out parts other than test goes to train as a whole.
    Unlabelled scans become ``pretrain``, unless their unit is held out: then ``excluded``.

    `overlap` says what to do where a given test part shares a unit with another part: ``stop``;
    ``drop`` the scans outside test; ``allow`` (the caller marks every score INVALID). What only
    nearly equals a scan of a given test part is dropped in place of a stop. `labelled`
    keeps that many labelled scans of train, drawn by patient; the others become ``pretrain``.
    `several` findings a scan: a part may lack one that is rare (see `Findings.of`).

    Raises `LeakageError` ``E_LEAKAGE``; `StopError` ``E_CLASS_SIZE`` (a class missing from a
    part), ``E_NO_LABELS``, ``E_LABELLED``.

    Examples
    --------
    >>> split = split_by_patient(collection.metadata(), seed=0)  # doctest: +SKIP
    >>> split.counts()["test"]  # doctest: +SKIP
    200
    """
    if not table.is_labelled.any():
        raise StopError("E_NO_LABELS", "no scan has a label", fix="give --labels CSV")
    given = np.where(table.is_labelled, table.given_part, "")
    if overlap == "stop" and (_beside_test(table, given, unit_ids(table)) & (given != "")).any():
        raise _leakage(table, given)
    units = unit_ids(table, near)
    outside = _beside_test(table, given, units)
    usable = table.is_labelled & ~outside if overlap != "allow" else table.is_labelled
    # With `allow`, what a test unit has outside test is a unit of its own.
    separate = np.where(outside, units + len(table), units)
    draft = Draft(table.label, given, separate, usable)
    parts = _with_unlabelled(table, draft.assign(fractions, seed), units)
    if not several:
        _check_classes(table, parts, units)
    if labelled is not None:
        parts = draw_labelled(table, parts, units, count=labelled, seed=seed)
    return Split(parts, _hash(table, parts))


def _beside_test(
    table: CollectionTable, given: StrArray, units: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Labelled scans outside the given test part, of units that it holds."""
    tested = np.isin(units, units[given == "test"])
    outside: NDArray[np.bool_] = tested & table.is_labelled & (given != "test")
    return outside


def _with_unlabelled(
    table: CollectionTable, assigned: StrArray, units: NDArray[np.int64]
) -> StrArray:
    """Give ``pretrain`` or ``excluded`` to the rows that have no part yet."""
    held_out = np.isin(units, units[np.isin(assigned, HELD_OUT_PARTS)])
    # A part declared held out stays so, even where its labels are absent.
    held_out |= np.isin(table.given_part, _DECLARED_OUT)
    rest = np.where(held_out | table.is_labelled, "excluded", "pretrain")
    return np.where(assigned == "", rest, assigned)


def _check_classes(table: CollectionTable, parts: StrArray, units: NDArray[np.int64]) -> None:
    for name in table.classes:
        rows = table.is_labelled & (table.label == name)
        missing = [part for part in LABELLED_PARTS if not (rows & (parts == part)).any()]
        if missing:
            error = class_size_error(name, len(np.unique(units[rows])))
            text = f"{error.found}; none is left for {', '.join(missing)}"
            raise StopError(error.code, text, fix=error.fix)


def _leakage(table: CollectionTable, given: StrArray) -> LeakageError:
    patients = _shared(np.where(given == "", "", table.patient), given)
    pictures = _shared(np.where(given == "", "", table.content_hash), given)
    groups = [*patients, *pictures]
    shown = "; ".join(
        " and ".join(str(table.path[index]) for index in _pair(group, given))
        for group in groups[:_SHOWN]
    )
    return LeakageError(
        "E_LEAKAGE",
        f"the given test part shares {len(patients)} patients and {len(pictures)} identical "
        f"pictures with other parts: {shown}",
        fix="--overlap drop leaves their scans outside test out",
    )


def _shared(names: StrArray, given: StrArray) -> list[NDArray[np.int64]]:
    """Groups of rows with one name, some of them in test and some in another given part."""
    return [
        group
        for group in groups_of(names.tolist())
        if (given[group] == "test").any() and (given[group] != "test").any()
    ]


def _pair(group: NDArray[np.int64], given: StrArray) -> Sequence[int]:
    inside = given[group] == "test"
    return int(group[inside][0]), int(group[~inside][0])


def _hash(table: CollectionTable, parts: StrArray) -> str:
    columns = (table.scan_id, table.content_hash, table.label, parts)
    return hash_json(sorted(zip(*(column.tolist() for column in columns), strict=True)))
