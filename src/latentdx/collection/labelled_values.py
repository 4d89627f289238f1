"""`ValuedScans`: labelled scans whose labels are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans, load_with_words
from latentdx.collection.split import Part, Split
from latentdx.collection.store import Collection
from latentdx.collection.values import values_of


@dataclass(frozen=True)
class ValuedScans:
    """Scans, of no class (every label is -1), and their values (N,)."""

    scans: LabelledScans
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scans)

    def part(self, *names: Part) -> ValuedScans:
        """The scans of these parts."""
        return self.take(np.isin(self.scans.parts, names))

    def take(self, rows: NDArray[Any]) -> ValuedScans:
        """The scans at these numbers, or where a mask is True."""
        return ValuedScans(self.scans.take(rows), self.values[rows])

    def decided(self) -> ValuedScans:
        """The first scan of each case, with the mean of its scans' values; see `LabelledScans`."""
        pooled = self.scans.pooled(self.values[:, None])[:, 0]
        return ValuedScans(self.scans.decided(), pooled)


def load_values(collection: Collection, split: Split, *names: Part) -> ValuedScans:
    """Read the scans of some labelled parts into memory, in the order of `ordered_rows`."""
    scans, words = load_with_words(collection, split, (), *names)
    return ValuedScans(scans, values_of(words))
