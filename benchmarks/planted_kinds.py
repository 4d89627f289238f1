"""Faults to be planted in a cohort of phantoms, and the findings that must name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks import near_changes
from benchmarks.planted_cohorts import Change, Look, Rows, clean, patients, renamed, row_of
from latentdx.collection.audit import Finding
from latentdx.collection.phantom_patient import PhantomPatient
from latentdx.collection.table import ScanRow

CORRELATION = (0.3, 0.6)
"""Between a planted shortcut and the label (phi), drawn evenly."""

Draw = np.random.Generator
Plant = Callable[[int, Draw], Rows]
_LEAKS, _SHORTCUTS = Look(shortcuts=False), Look(copies=False)
_FEW = 3
_OTHER = {"train": "test", "test": "train"}


class Kind:
    """A fault: how it is planted, what is looked for, and how its finding is known."""

    def __init__(self, plant: Plant, look: Look, code: str, *words: str) -> None:
        self.plant, self.look = plant, look
        self._code, self._words = code, words

    def is_named(self, findings: Sequence[Finding]) -> bool:
        """Whether one of its code is there that has one of its words, if any are asked for."""
        texts = [each.text for each in findings if each.code == self._code]
        return any(not self._words or any(word in text for word in self._words) for text in texts)


def along(labels: NDArray[np.bool_], draw: Draw) -> NDArray[np.bool_]:
    """Half of the scans, (N,), of a phi of at least `CORRELATION` to the labels."""
    share, phi = labels.mean(), draw.uniform(*CORRELATION)
    gap = phi * 0.5 / np.sqrt(share * (1 - share))
    found = np.zeros(len(labels), np.bool_)
    for own, part in ((labels, 0.5 + (1 - share) * gap), (~labels, 0.5 - share * gap)):
        rows = draw.permutation(np.flatnonzero(own))
        count = part * len(rows)
        found[rows[: int(np.ceil(count) if own is labels else np.floor(count))]] = True
    return found


def _ill(seed: int) -> tuple[list[PhantomPatient], NDArray[np.bool_]]:
    found = patients(seed)
    return found, np.array([each.lesion is not None for each in found])


def _patient_across(seed: int, draw: Draw) -> Rows:
    rows, people = clean(seed), patients(seed)
    several = [number for number, each in enumerate(people) if each.n_scans > 1]
    chosen = draw.choice(several, _FEW, replace=False)
    more = [
        replace(row_of(people[n], seed, scan=1), given_part=_OTHER[_part(rows[n])]) for n in chosen
    ]
    return rows + more


def _identical(seed: int, draw: Draw) -> Rows:
    return _with_copies(seed, draw, lambda picture: picture)


def _near(change: near_changes.Change) -> Plant:
    def plant(seed: int, draw: Draw) -> Rows:
        return _with_copies(seed, draw, lambda picture: change(picture, draw))

    return plant


def _with_copies(seed: int, draw: Draw, change: Change) -> Rows:
    """Three scans lie in the other part once more, under other names."""
    rows, people = clean(seed), patients(seed)
    chosen = draw.choice(len(rows), _FEW, replace=False)
    copies = [
        replace(
            row_of(people[number], seed, change=change),
            patient=f"copy{number}",
            path=f"{9000 + number}-1.dcm",
            given_part=_OTHER[_part(rows[number])],
        )
        for number in chosen
    ]
    return rows + [renamed(row) for row in copies]


def _conflict(seed: int, draw: Draw) -> Rows:
    rows = clean(seed)
    other = {"healthy": "diseased", "diseased": "healthy"}
    copies = [
        replace(rows[n], path=f"{9000 + n}-1.dcm", label=other[str(rows[n].label)])
        for n in draw.choice(len(rows), _FEW, replace=False)
    ]
    return rows + [renamed(row) for row in copies]


def _pretraining(seed: int, draw: Draw) -> Rows:
    rows, people = clean(seed), patients(seed)
    tested = [n for n, row in enumerate(rows) if row.given_part == "test" and people[n].n_scans > 1]
    more = [row_of(people[n], seed, scan=1) for n in draw.choice(tested, _FEW, replace=False)]
    return rows + [replace(row, label=None, given_part=None, pretrain_only=True) for row in more]


def _marker(seed: int, draw: Draw) -> Rows:
    people, ill = _ill(seed)
    marked = along(ill, draw)
    return [
        row_of(replace(each, markers=(bool(own),) * each.n_scans), seed)
        for each, own in zip(people, marked, strict=True)
    ]


def _scanner(seed: int, draw: Draw) -> Rows:
    """Scanned at site A, or at one of the others: format, sharpness, window and name follow."""
    people, ill = _ill(seed)
    first = along(ill, draw)
    return [
        row_of(replace(each, site=0 if own else int(draw.integers(1, 3))), seed)
        for each, own in zip(people, first, strict=True)
    ]


def _changed(change: Callable[[ScanRow, bool, Draw], ScanRow]) -> Plant:
    """Rows changed by whether each belongs to those `along` the label."""

    def plant(seed: int, draw: Draw) -> Rows:
        own = along(_ill(seed)[1], draw)
        changed = (change(row, bool(k), draw) for row, k in zip(clean(seed), own, strict=True))
        return [renamed(row) for row in changed]

    return plant


def _column(row: ScanRow, own: bool, _: Draw) -> ScanRow:
    return replace(row, covariates={**row.covariates, "ward": "AB"[own]})


def _path(row: ScanRow, own: bool, _: Draw) -> ScanRow:
    return replace(row, path=f"{'ca' if own else 'scan'}_{row.path}")


def _order(row: ScanRow, own: bool, draw: Draw) -> ScanRow:
    """Those along the label come from the middle third of all numbers."""
    number = (
        draw.integers(30_000, 60_000) if own else draw.choice([0, 60_000]) + draw.integers(30_000)
    )
    return replace(row, path=f"{number:05}_{row.patient}-1.dcm".replace("_p", "_"))


def _day(row: ScanRow, own: bool, draw: Draw) -> ScanRow:
    day = date(2016, 1, 1) + timedelta(days=int(draw.integers(700) + 700 * own))
    return replace(row, covariates={**row.covariates, "exam": day.isoformat()})


def _part(row: ScanRow) -> str:
    return str(row.given_part)


NEAR = "near-duplicate-across-parts"
KINDS: dict[str, Kind] = {
    "patient in train and test": Kind(_patient_across, _LEAKS, "patient-across-parts"),
    "identical scan, other patient": Kind(_identical, _LEAKS, "duplicate-across-parts"),
    "mirrored copy": Kind(_near(near_changes.mirrored), _LEAKS, NEAR),
    "cropped copy": Kind(_near(near_changes.cropped), _LEAKS, NEAR),
    "recompressed copy": Kind(_near(near_changes.recompressed), _LEAKS, NEAR),
    "pretraining on patients of test": Kind(_pretraining, _LEAKS, "pretraining-overlap"),
    "conflicting labels": Kind(_conflict, _LEAKS, "conflicting-labels"),
    "label in the path": Kind(_changed(_path), _SHORTCUTS, "label-in-path"),
    "column": Kind(_changed(_column), _SHORTCUTS, "shortcut", "'ward'"),
    "scanner": Kind(_scanner, _SHORTCUTS, "shortcut", "'site'"),
    "order of patients": Kind(_changed(_order), _SHORTCUTS, "shortcut", "order of patients"),
    "days": Kind(_changed(_day), _SHORTCUTS, "order-in-time", "'exam'"),
}
MARKERS = (
    Kind(_marker, _SHORTCUTS, "shortcut", "'corners'", "'border'"),
    Kind(_marker, _SHORTCUTS, "burned-in-text"),
)
"""A letter burned in: any of the two findings names it."""
