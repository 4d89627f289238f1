"""`FindingScans`: the pixels of some parts, in memory, with the findings of each scan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.findings import Findings, question_classes
from latentdx.collection.labelled import LabelledScans, load_with_words
from latentdx.collection.split import Part, Split
from latentdx.collection.store import Collection


@dataclass(frozen=True)
class FindingScans:
    """Scans of one or more parts; `targets` is (N, L), 1 where a scan has a finding of `names`.

    The labels of `scans` say nothing (-1): those of one finding are in its `question`.
    """

    scans: LabelledScans
    targets: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scans)

    def part(self, *names: Part) -> FindingScans:
        """The scans of these parts."""
        return self.take(np.isin(self.scans.parts, names))

    def take(self, rows: NDArray[Any]) -> FindingScans:
        """The scans at these numbers, or where a mask is True."""
        return replace(self, scans=self.scans.take(rows), targets=self.targets[rows])

    def decided(self) -> FindingScans:
        """The first scan of each case, which stands for it; see `LabelledScans`."""
        return self if self.scans.cases is None else self.take(self.scans.together().first)

    def question(self, number: int) -> LabelledScans:
        """The scans with labels 0 and 1: without the finding of this number, and with it."""
        classes = question_classes(self.names[number])
        return replace(self.scans, labels=self.targets[:, number], classes=classes)


def load_findings(
    collection: Collection, split: Split, findings: Findings, *names: Part
) -> FindingScans:
    """Read the scans of some parts into memory, in the order of `ordered_rows`."""
    scans, words = load_with_words(collection, split, findings.names, *names)
    return FindingScans(scans, findings.targets(words), findings.names)
