"""`LabelledScans`: the pixels of some parts, in memory, with the labels and patients they need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.cases import Cases, Kind
from latentdx.collection.split import Part, Split
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable, StrArray


@dataclass(frozen=True)
class LabelledScans:
    """Scans of one or more parts of a split.

    Attributes
    ----------
    pixels: float32 (N, C, *spatial); labels: int (N,), indices of `classes`; -1 where unlabelled.
    patients, scan_ids, parts: (N,).
    classes: negative first.
    split_hash: of the split they were taken by.
    beside: float32 (N, K), what the classifier reads of each scan beside its pixels, or None.
    cases: (N,), the names of the cases whose scans are decided together, or None: each alone.
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]
    patients: StrArray
    scan_ids: StrArray
    parts: StrArray
    classes: tuple[str, ...]
    split_hash: str
    beside: NDArray[np.float32] | None = None
    cases: StrArray | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def part(self, *names: Part) -> LabelledScans:
        """The scans of these parts."""
        return self.take(np.isin(self.parts, names))

    def take(self, rows: NDArray[Any]) -> LabelledScans:
        """The scans at these numbers, or where a mask is True."""
        names = ("pixels", "labels", "patients", "scan_ids", "parts")
        more = [name for name in ("beside", "cases") if getattr(self, name) is not None]
        return replace(self, **{name: getattr(self, name)[rows] for name in (*names, *more)})

    def decided(self) -> LabelledScans:
        """The first scan of each case, which stands for it: all scans where each is decided alone.

        A case is within one part.
        """
        return self if self.cases is None else self.take(self.together().first)

    def together(self) -> Cases:
        """Which scans are decided together."""
        names = self.scan_ids if self.cases is None else np.char.add(self.parts, self.cases)
        return Cases.of(names)

    def pooled(
        self, scores: NDArray[Kind], importance: NDArray[np.float32] | None = None
    ) -> NDArray[Kind]:
        """Scores (N, Q) of the scans as scores (M, Q) of the cases: see `Cases.pooled`."""
        return scores if self.cases is None else self.together().pooled(scores, importance)


def ordered_rows(table: CollectionTable, split: Split, *names: Part) -> NDArray[np.int64]:
    """The rows of some parts in the order of their scans' ids.

    The order does not depend on how the collection was written, so results do not either. Raises
    `IntegrityError` ``E_SPLIT`` where the split was made from another table.
    """
    split.check(table)
    rows = split.rows(*names)
    return rows[np.argsort(table.scan_id[rows], kind="stable")]


def load_parts(
    collection: Collection, split: Split, classes: tuple[str, ...], *names: Part
) -> LabelledScans:
    """Read the scans of some parts into memory, in the order of `ordered_rows`."""
    scans, words = load_with_words(collection, split, classes, *names)
    index = {name: number for number, name in enumerate(classes)}
    labels = [index[word] if word else -1 for word in words]
    return replace(scans, labels=np.array(labels, np.int64))


def load_with_words(
    collection: Collection, split: Split, classes: tuple[str, ...], *names: Part
) -> tuple[LabelledScans, list[str]]:
    """The scans of `load_parts`, every label -1, and their labels as they are stored.

    `""` where a scan has none.
    """
    table = collection.metadata()
    rows = ordered_rows(table, split, *names)
    scans = LabelledScans(
        collection.pixels(rows),
        np.full(len(rows), -1),
        table.patient_or_scan()[rows],
        table.scan_id[rows],
        split.parts[rows],
        classes,
        split.hash,
    )
    return scans, np.where(table.is_labelled[rows], table.label[rows], "").tolist()
