"""`audit`: what in a collection would make a score invalid or doubtful."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.near_duplicates import NearPairs
from latentdx.collection.table import CollectionTable, StrArray
from latentdx.collection.units import groups_of, unit_ids

Severity = Literal["error", "warning", "info"]

IMBALANCE_BELOW = 0.1
SMALL_CLASS_BELOW = 40
"""Patients of a class: with fewer, a test part of a fifth holds fewer than eight."""

NEAR, NEAR_ACROSS = "near-duplicate", "near-duplicate-across-parts"

_SHOWN = 100


@dataclass(frozen=True)
class Finding:
    """One kind of trouble: how often, in words, and groups of paths that show it."""

    code: str
    severity: Severity
    count: int
    text: str
    examples: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Audit:
    """All findings of one collection."""

    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether a score on the test part can be trusted: no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def of_values(self) -> Audit:
        """Without what is said of classes: the labels are numbers."""
        of_classes = ("imbalance", "small-class")
        return Audit(tuple(item for item in self.findings if item.code not in of_classes))

    def as_json(self) -> dict[str, Any]:
        """The content of ``audit.json``."""
        findings = [
            {**asdict(finding), "examples": [list(group) for group in finding.examples]}
            for finding in self.findings
        ]
        return {"valid": self.valid, "findings": findings}


def audit(
    table: CollectionTable, parts: StrArray | None = None, near: NearPairs | None = None
) -> Audit:
    """Look for leakage, duplicates, contradictions and thin classes.

    `parts` (N,) are those of a split, or None for the parts that the source gave; scans in none
    (``""`` or ``excluded``) cannot leak. What test shares with another part is an error, what
    other parts share a warning. `near`: scans of different patients that are nearly equal (see
    `kept_near_duplicates`). At most 100 examples a finding.

    Examples
    --------
    >>> audit(collection.metadata(), split.parts).valid  # doctest: +SKIP
    True
    """
    parts = table.given_part if parts is None else parts
    parts = np.where(parts == "excluded", "", parts)
    checks: tuple[Callable[[CollectionTable, StrArray], list[Finding]], ...] = (
        _patients_across,
        _duplicates_across,
        _duplicates,
        _conflicts,
        _imbalance,
        _small_classes,
    )
    found = [finding for check in checks for finding in check(table, parts)]
    near = near or NearPairs.none()
    return Audit((*found, *_near(table, parts, near), *_pretraining(table, parts, near)))


def _patients_across(table: CollectionTable, parts: StrArray) -> list[Finding]:
    groups = groups_of(np.where(parts == "", "", table.patient).tolist())
    return _across("patient-across-parts", "patients have scans", groups, table.path, parts)


def _duplicates_across(table: CollectionTable, parts: StrArray) -> list[Finding]:
    groups = groups_of(np.where(parts == "", "", table.content_hash).tolist())
    return _across("duplicate-across-parts", "pictures lie", groups, table.path, parts)


def _across(
    code: str, what: str, groups: Sequence[NDArray[np.int64]], paths: StrArray, parts: StrArray
) -> list[Finding]:
    """At most two findings: what test shares, and what only the other parts share."""
    across = [group for group in groups if len(set(parts[group].tolist())) > 1]
    tested = [group for group in across if (parts[group] == "test").any()]
    others = [group for group in across if not (parts[group] == "test").any()]
    severities: tuple[tuple[Severity, list[NDArray[np.int64]], str], ...] = (
        ("error", tested, "in test and in another part: scores on test are invalid"),
        ("warning", others, "in several parts other than test"),
    )
    return [
        Finding(code, severity, len(found), f"{len(found)} {what} {where}", _paths(found, paths))
        for severity, found, where in severities
        if found
    ]


def _duplicates(table: CollectionTable, parts: StrArray) -> list[Finding]:
    """Identical pixels within a part; worse where they bear two patients' names."""
    names = np.char.add(np.char.add(table.content_hash, " "), parts)
    groups = groups_of(np.where(table.content_hash == "", "", names).tolist())
    if not groups:
        return []
    patient = table.patient_or_scan()
    n_strange = sum(len(set(patient[group].tolist())) > 1 for group in groups)
    text = f"{len(groups)} pictures are there more than once"
    if n_strange:
        text += f", {n_strange} of them under several patients"
    severity: Severity = "warning" if n_strange else "info"
    return [Finding("duplicate", severity, len(groups), text, _paths(groups, table.path))]


def _near(table: CollectionTable, parts: StrArray, near: NearPairs) -> list[Finding]:
    groups = near.groups()
    apart = [group[parts[group] != ""] for group in groups]
    found = _across(NEAR_ACROSS, "groups of nearly equal scans lie", apart, table.path, parts)
    inside = [
        whole
        for whole, group in zip(groups, apart, strict=True)
        if len(set(parts[group].tolist())) < 2
    ]
    if inside:
        n_scans = sum(len(group) for group in inside)
        text = f"{len(inside)} groups of nearly equal scans ({n_scans} in all) of different "
        text += "patients: copies, mirrored, cropped or of other grey levels?"
        found.append(Finding(NEAR, "warning", len(inside), text, _paths(inside, table.path)))
    return found


def _pretraining(table: CollectionTable, parts: StrArray, near: NearPairs) -> list[Finding]:
    """Scans without a label that are of what test holds: a split leaves them out."""
    if not ((parts != "test") & (parts != "")).any():
        return []  # nothing is learned from these scans
    units = unit_ids(table, near.rows)
    tested = {unit: row for row, unit in enumerate(units.tolist()) if parts[row] == "test"}
    rows = np.flatnonzero(np.isin(units, list(tested)) & ~table.is_labelled & (parts != "test"))
    kinds: tuple[tuple[Severity, NDArray[np.int64], str], ...] = (
        ("error", rows[parts[rows] == "pretrain"], "in the pool for pretraining: scores on test "
         "are invalid"),
        ("info", rows[parts[rows] != "pretrain"], "left out of pretraining"),
    )  # fmt: skip
    return [
        Finding(
            "pretraining-overlap",
            severity,
            len(own),
            f"{len(own)} scans without a label are of patients of test, or equal or nearly equal "
            f"scans of test: {ending}",
            _paths([np.array([row, tested[int(units[row])]]) for row in own], table.path),
        )
        for severity, own, ending in kinds
        if len(own)
    ]


def _conflicts(table: CollectionTable, _: StrArray) -> list[Finding]:
    labelled = table.content_hash.copy()
    labelled[~table.is_labelled] = ""
    groups = [
        group for group in groups_of(labelled.tolist()) if len(set(table.label[group].tolist())) > 1
    ]
    if not groups:
        return []
    text = f"{len(groups)} identical pictures have different labels"
    return [Finding("conflicting-labels", "warning", len(groups), text, _paths(groups, table.path))]


def _imbalance(table: CollectionTable, _: StrArray) -> list[Finding]:
    names, total = table.classes, int(table.is_labelled.sum())
    counts = np.array([table.has(name).sum() for name in names])
    if len(names) < 2 or counts.min() >= IMBALANCE_BELOW * total:
        return []
    rarest = int(counts.argmin())
    text = (
        f"the class {names[rarest]!r} has {counts[rarest]} of {total} labelled scans: "
        "accuracy says little, look at balanced accuracy and average precision"
    )
    return [Finding("imbalance", "warning", int(counts[rarest]), text)]


def _small_classes(table: CollectionTable, _: StrArray) -> list[Finding]:
    patient = table.patient_or_scan()
    found = []
    for name in table.classes:
        rows = table.has(name)
        n_patients = len(np.unique(patient[rows]))
        if n_patients < SMALL_CLASS_BELOW:
            text = f"the class {name!r} has {n_patients} patients: expect wide intervals"
            found.append(Finding("small-class", "warning", n_patients, text))
    return found


def _paths(groups: Sequence[NDArray[np.int64]], paths: StrArray) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(paths[group].tolist()) for group in groups[:_SHOWN])
