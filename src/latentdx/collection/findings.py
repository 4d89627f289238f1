"""`Findings`: which of the findings of many scans can be asked for, and how they are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.finding_labels import negative_of
from latentdx.collection.labels import class_size_error, is_negative, order_classes
from latentdx.collection.split import LABELLED_PARTS, Split
from latentdx.collection.table import CollectionTable
from latentdx.collection.tasks import NONE, SEPARATOR
from latentdx.collection.terms import Terms, ancestors, with_ancestors
from latentdx.core.errors import StopError


@dataclass(frozen=True)
class Findings:
    """The findings that are asked for, each a question of its own.

    Attributes
    ----------
    names: L of them, in order.
    negative: what a scan with none of them is called.
    left_out: with how many patients; those that a part has no scan with, or none without.
    terms: what each is a kind of, and its codes.
    """

    names: tuple[str, ...]
    negative: str = NONE
    left_out: Mapping[str, int] | None = None
    terms: Terms = field(default_factory=dict)

    @classmethod
    def of(cls, table: CollectionTable, split: Split, terms: Terms | None = None) -> Findings:
        """Those that every labelled part has scans with, and scans without.

        By `terms` a scan also has what its findings are kinds of, whether or not that was written.

        Raises `StopError` ``E_CLASS_SIZE`` where none is left.
        """
        terms = terms or {}
        written = [name for name in order_classes(table.classes) if not is_negative(name)]
        names = [*written, *sorted(with_ancestors(written, terms) - set(written))]
        rows = {name: _rows_with(table, name, written, terms) for name in names}
        kept = [name for name in names if _in_every_part(table, split, rows[name])]
        patients = table.patient_or_scan()
        left_out = {
            name: len(np.unique(patients[rows[name]])) for name in names if name not in kept
        }
        if not kept and left_out:
            commonest = max(left_out, key=lambda name: left_out[name])
            error = class_size_error(commonest, left_out[commonest])
            text = f"no finding is in every part; {error.found}"
            raise StopError(error.code, text, fix="add scans of more patients")
        if not kept:
            raise StopError("E_ONE_CLASS", "no scan has a finding", fix="add scans that have")
        return cls(tuple(kept), negative_of(table.label.tolist()), left_out, terms)

    def targets(self, labels: Iterable[str]) -> NDArray[np.int64]:
        """(N, L), 1 where a label names the finding, or one that is a kind of it."""
        held = [with_ancestors(label.split(SEPARATOR), self.terms) for label in labels]
        found = [[int(name in names) for name in self.names] for names in held]
        return np.array(found, np.int64).reshape(-1, len(self.names))

    def label(self, present: Iterable[bool]) -> str:
        """One label for a scan of which it is known for each finding whether it is present.

        Examples
        --------
        >>> found = Findings(("effusion", "mass"), "normal")
        >>> found.label([True, True]), found.label([False, False])
        ('effusion;mass', 'normal')
        """
        held = [name for name, is_there in zip(self.names, present, strict=True) if is_there]
        return SEPARATOR.join(held) or self.negative

    def implied(self) -> list[tuple[int, int]]:
        """(child, parent) as numbers of findings: who has the one has the other.

        Examples
        --------
        >>> from latentdx.collection.terms import Term
        >>> Findings(("lobar", "opacity"), terms={"lobar": Term(parent="opacity")}).implied()
        [(0, 1)]
        """
        numbers = {name: number for number, name in enumerate(self.names)}
        return [
            (numbers[name], numbers[above])
            for name in self.names
            for above in ancestors(name, self.terms)
            if above in numbers
        ]

    def notes(self) -> list[str]:
        """What was left out, in words."""
        return [
            f"the finding {name!r} is left out: it has {count} patients, and some part has no scan "
            "with it, or none without it"
            for name, count in (self.left_out or {}).items()
        ]


def question_classes(name: str) -> tuple[str, str]:
    """The two classes of a finding.

    Examples
    --------
    >>> question_classes("effusion")
    ('no effusion', 'effusion')
    """
    return f"no {name}", name


def _rows_with(
    table: CollectionTable, name: str, written: Sequence[str], terms: Terms
) -> NDArray[np.bool_]:
    """(N,) which scans have a finding, or one that is a kind of it."""
    kinds = [each for each in written if each == name or name in ancestors(each, terms)]
    found: NDArray[np.bool_] = np.any([table.has(each) for each in kinds], axis=0)
    return found


def _in_every_part(table: CollectionTable, split: Split, rows: NDArray[np.bool_]) -> bool:
    parts = [(split.parts == part) & table.is_labelled for part in LABELLED_PARTS]
    return all((rows & part).any() and (~rows & part).any() for part in parts)
