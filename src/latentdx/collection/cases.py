"""`Cases`: scans that are decided together: those of a study, or of a patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable, StrArray
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_bytes
from latentdx.scans.scan import Scan

DecideBy = Literal["scan", "study", "patient"]
Kind = TypeVar("Kind", np.float32, np.float64)

Pool = Literal["mean", "attention"]
"""How the scores of a case's scans are joined."""

PLURALS: dict[DecideBy, str] = {"scan": "scans", "study": "studies", "patient": "patients"}


@dataclass(frozen=True)
class Cases:
    """N scans in M cases, which are numbered as they first appear.

    Attributes
    ----------
    number: (N,), the case of each scan; first: (M,), the row of each case's first scan.
    """

    number: NDArray[np.int64]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, names: Sequence[str] | StrArray) -> Cases:
        """The cases of scans that have these names of their cases, (N,)."""
        _, first, inverse = np.unique(np.asarray(names), return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return cls(rank[inverse.ravel()].astype(np.int64), first[order].astype(np.int64))

    def mean(self, values: NDArray[Kind]) -> NDArray[Kind]:
        """The mean (M, Q) over each case's scans of values (N, Q).

        Examples
        --------
        >>> cases = Cases.of(["b", "a", "b"])
        >>> cases.mean(np.array([[1.0], [5.0], [2.0]])).ravel().tolist()
        [1.5, 5.0]
        """
        total = np.zeros((len(self.first), *values.shape[1:]), np.float64)
        np.add.at(total, self.number, values)
        counts = np.bincount(self.number, minlength=len(self.first))
        return (total / counts.reshape(-1, *[1] * (values.ndim - 1))).astype(values.dtype)

    def weighed(self, values: NDArray[Kind], weights: NDArray[np.float64]) -> NDArray[Kind]:
        """The sum (M, Q) over each case's scans of values (N, Q) by their weights (N,).

        Examples
        --------
        >>> cases = Cases.of(["b", "a", "b"])
        >>> weights = np.array([0.25, 1.0, 0.75])
        >>> cases.weighed(np.array([[1.0], [5.0], [2.0]]), weights).ravel().tolist()
        [1.75, 5.0]
        """
        total = np.zeros((len(self.first), *values.shape[1:]), np.float64)
        np.add.at(total, self.number, values * weights[:, None])
        return total.astype(values.dtype)

    def weights(self, importance: NDArray[np.float32] | None) -> NDArray[np.float64]:
        """Weights (N,) of scans, of each case a softmax of their importance (N,): they sum to 1.

        All scans of a case weigh the same where nothing is said.

        Examples
        --------
        >>> cases = Cases.of(["a", "b", "a"])
        >>> cases.weights(np.array([0, 5, np.log(3)], np.float32)).round(3).tolist()
        [0.25, 1.0, 0.75]
        """
        count = len(self.first)
        wide = np.zeros(len(self.number)) if importance is None else importance.astype(np.float64)
        largest = np.full(count, -np.inf)
        np.maximum.at(largest, self.number, wide)
        raised = np.exp(wide - largest[self.number])
        total = np.bincount(self.number, raised, count)
        return np.asarray(raised / total[self.number])

    def pooled(
        self, scores: NDArray[Kind], importance: NDArray[np.float32] | None
    ) -> NDArray[Kind]:
        """Scores (M, Q) of the cases: the mean of their scans', or weighed by importance."""
        if importance is None:
            return self.mean(scores)
        return self.weighed(scores, self.weights(importance))

    def rows(self) -> list[NDArray[np.int64]]:
        """The rows of each case's scans."""
        order = np.argsort(self.number, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.number))[:-1]) if len(order) else []


def case_names(table: CollectionTable, by: DecideBy) -> StrArray:
    """The case (N,) of each scan; one of whose study (or patient) nothing is known is its own.

    Two patients have no study in common, whatever a table calls them.
    """
    patients = table.patient_or_scan()
    if by == "patient":
        return patients
    if by == "scan":
        return table.scan_id
    alone = np.char.add("scan:", table.scan_id)
    named = np.char.add(np.char.add(patients, " "), table.study)
    return np.where(table.study == "", alone, named)


def case_of(scan: Scan, by: DecideBy, alone: str) -> str:
    """The case of a scan by what its file says, as `case_names`; `alone` where it says nothing."""
    if by == "patient":
        return scan.patient or alone
    return f"{scan.patient or ''} {scan.study}" if by == "study" and scan.study else alone


def require_one_label(table: CollectionTable, by: DecideBy) -> None:
    """Raise `StopError` ``E_STUDY_LABELS`` where a case's labelled scans differ in their labels."""
    if by == "scan":
        return
    rows = np.flatnonzero(table.is_labelled)
    labels: dict[str, set[str]] = {}
    for name, label in zip(
        case_names(table, by)[rows].tolist(), table.label[rows].tolist(), strict=True
    ):
        labels.setdefault(name, set()).add(label)
    torn = [found for found in labels.values() if len(found) > 1]
    if torn:
        shown = " and ".join(repr(label) for label in sorted(torn[0]))
        text = f"{len(torn)} of {len(labels)} {PLURALS[by]} have scans of several labels, such as "
        fix = "give all scans of one the same label, or decide by scan"
        raise StopError("E_STUDY_LABELS", f"{text}{shown}", fix=fix)


def shown_case(name: str, by: DecideBy) -> str:
    """How a case is called in results: sixteen hex digits, the same for the same key.

    Examples
    --------
    >>> shown_case("patient 7 study 1", "study") == shown_case("patient 7 study 1", "study")
    True
    """
    return hash_bytes(by.encode(), name.encode())[:16]
