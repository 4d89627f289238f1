"""What of a collection a finished bundle has seen before it is tested on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.audit import Finding
from latentdx.collection.seen_record import SeenRecord, patient_name, picture_name
from latentdx.collection.split import Overlap, Split
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import LeakageError
from latentdx.scans.deidentify import user_key

LEARNED, TRANSDUCTIVE, UNKNOWN = "learned-from", "transductive", "seen-unknown"

_SHOWN = 100
_ALONE = "scan:"
"""Of a patient who was declared to have one scan: named by a path, which says nothing elsewhere."""

Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class Exposure:
    """Which of N scans a model has seen, and how.

    Attributes
    ----------
    record: ``read``; ``none`` was kept (older bundles); ``other-key``: only who made it can ask.
    complete: whether it tells of all that the model has seen.
    pictures, patients: (2, N), with labels first: the scan itself, or another of its patient's.
    paths: (N,). left_out: scans that were seen with labels, and are not among the N for that.
    """

    record: Literal["read", "none", "other-key"]
    complete: bool
    pictures: Rows
    patients: Rows
    paths: NDArray[np.str_]
    left_out: int = 0

    @property
    def with_labels(self) -> Rows:
        """(N,): scans, or scans of patients, by which labels were learned."""
        found: Rows = self.pictures[0] | self.patients[0]
        return found

    @property
    def without(self) -> Rows:
        """(N,): the others that were seen, by the encoder or what it began from."""
        found: Rows = (self.pictures[1] | self.patients[1]) & ~self.with_labels
        return found

    def findings(self, *, scored: bool = True) -> Iterator[Finding]:
        """For the audit; where scans with labels are `scored`, those seen with them are errors."""
        total = len(self.paths)
        if count := int(self.with_labels.sum()):
            text = (
                f"{count} of the {total} scans here, or others of their patients, are among those "
                "whose labels the model was made by: "
            )
            text += "scores are invalid" if scored else "what is said of them is too good"
            shown = self._examples(self.with_labels)
            yield Finding(LEARNED, "error" if scored else "warning", count, text, shown)
        if count := int(self.without.sum()):
            own = int((self.without & self.pictures[1]).sum())
            text = (
                f"transductive: {count} of the {total} scans here were seen, without labels, by "
                f"the encoder ({own} themselves, {count - own} by others of their patients): of "
                "scans that it has not seen this tells less"
            )
            yield Finding(TRANSDUCTIVE, "warning", count, text, self._examples(self.without))
        if (unknown := self._unknown()) is not None:
            yield Finding(UNKNOWN, "info" if self.record == "other-key" else "warning", 1, unknown)

    def _examples(self, rows: Rows) -> tuple[tuple[str, ...], ...]:
        return tuple((str(path),) for path in self.paths[rows][:_SHOWN])

    def _unknown(self) -> str | None:
        if self.record == "none":
            return (
                "the bundle keeps no record of the scans that it has seen, as older versions made "
                "it: whether some of these are among them is not known"
            )
        if self.record == "other-key":
            return (
                "the bundle's record of the scans that it has seen can be read with the key that "
                "it was made with alone: whether some of these are among them is not known here"
            )
        if not self.complete:
            return (
                "the encoder began from weights, or was averaged from some, of which it is not "
                "recorded what they had seen: whether some of these scans are among it is not known"
            )
        return None

    def sentences(self, *, scored: bool = True) -> list[str]:
        """The same for the terminal and the head of the page."""
        found = [_sentence(finding.text) for finding in self.findings(scored=scored)]
        if self.left_out:
            found.insert(0, left_out_sentence(self.left_out))
        return found

    def as_json(self, *, scored: bool = True) -> dict[str, Any]:
        """The entry ``seen`` of ``metrics.json``."""
        counts = {
            name: {
                "scans": int(rows.sum()),
                "themselves": int((rows & self.pictures[which]).sum()),
            }
            for which, (name, rows) in enumerate(
                (("with_labels", self.with_labels), ("without_labels", self.without))
            )
        }
        return {
            "record": self.record,
            "complete": self.complete,
            "n_scans": len(self.paths),
            **counts,
            "transductive": bool(self.without.any()),
            "left_out": self.left_out,
            "sentences": self.sentences(scored=scored),
        }


def exposure_of(
    seen: SeenRecord | None, table: CollectionTable, rows: NDArray[np.int64], left_out: int = 0
) -> Exposure:
    """Of the scans of a collection at these N rows, by a model's record and this user's key."""
    key, none = user_key(), np.zeros((2, len(rows)), np.bool_)
    paths = table.path[rows]
    if seen is None:
        return Exposure("none", False, none, none, paths, left_out)
    if not seen.opens_with(key):
        return Exposure("other-key", False, none, none, paths, left_out)
    pictures = [picture_name(str(name)) for name in table.content_hash[rows]]
    patients = [
        "" if str(name).startswith(_ALONE) else patient_name(str(name))
        for name in table.patient[rows]
    ]
    found = [
        np.stack([seen.has_labelled(names, key), seen.has_unlabelled(names, key)])
        for names in (pictures, patients)
    ]
    return Exposure("read", seen.complete, found[0], found[1] & ~found[0], paths, left_out)


def unseen_part(
    seen: SeenRecord | None, table: CollectionTable, split: Split, overlap: Overlap
) -> tuple[Split, Exposure]:
    """The test part as it may be scored, and what of it the model has seen.

    Where labels of some of it, or of its patients, were learned from: `overlap` ``stop`` raises
    `LeakageError` ``E_LEAKAGE``, ``drop`` leaves those scans out (and raises where none is left),
    ``allow`` keeps them, as an error of the audit.
    """
    rows = split.rows("test")
    found = exposure_of(seen, table, rows)
    known = found.with_labels
    count = int(known.sum())
    if not count or overlap == "allow":
        return split, found
    if overlap == "stop" or known.all():
        raise _learned_from(count, len(rows), all_of_them=bool(known.all()))
    parts = split.parts.copy()
    parts[rows[known]] = "excluded"
    return Split(parts, Split.hash_of(table, parts)), exposure_of(seen, table, rows[~known], count)


def left_out_sentence(count: int) -> str:
    """How many scans were not tested, as the model had learned from them."""
    return (
        f"{count} scans were left out: the model was made by labels of theirs, or of other scans "
        "of their patients."
    )


def _learned_from(count: int, total: int, *, all_of_them: bool) -> LeakageError:
    found = (
        f"the bundle was made by labels of {count} of the {total} scans to be tested, or of other "
        "scans of their patients"
    )
    drop = "--overlap drop tests the others, "
    fix = f"{'' if all_of_them else drop}--overlap allow marks every score INVALID"
    if all_of_them:
        fix = f"give other scans; {fix}"
    return LeakageError("E_LEAKAGE", found, fix=fix)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
