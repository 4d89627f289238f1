"""`review`: scans of a collection that do not look like the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.audit import Severity
from latentdx.collection.quality_features import picture_features
from latentdx.collection.quality_inverted import MARGIN, Upright
from latentdx.collection.quality_odd import Typical, odd_rows
from latentdx.collection.quality_pictures import small_pictures
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable

FEWEST = 50
"""Scans below which nothing can be said of what is usual."""

_SAMPLE = 1500  # scans that stand for the collection
_SHOWN = 100
_BATCH = 512
_SAME_KIND = {"DX": "CR", "DR": "CR"}  # both are radiographs


@dataclass(frozen=True)
class QualityFinding:
    """What a reader should look at before trusting a model made from these scans.

    Attributes
    ----------
    code: ``W_INVERTED``, ``W_MODALITY`` or ``W_ODD_ONE``.
    count: scans concerned.
    examples: paths of at most 100 of them, the clearest first; `rows` are their rows.
    """

    code: str
    severity: Severity
    count: int
    text: str
    examples: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """In the form of the findings of ``audit.json``."""
        return {
            "code": self.code,
            "severity": self.severity,
            "count": self.count,
            "text": self.text,
            "examples": [[path] for path in self.examples],
        }


def review(collection: Collection) -> list[QualityFinding]:
    """Look for inverted grey levels, mixed modalities, and scans unlike all others.

    Warnings to be looked at, never a reason to stop: docs/quality.md tells how each is decided and
    how often it errs on real scans. Two passes over the pixels at most, in bounded memory; what is
    usual is learned from 1,500 evenly drawn scans. With fewer than `FEWEST` only modalities are
    compared. The same collection gives the same findings.

    Examples
    --------
    >>> [finding.code for finding in review(Collection.open("scans"))]  # doctest: +SKIP
    ['W_ODD_ONE']
    """
    table = collection.metadata()
    if len(table) < FEWEST:
        return _modalities(table)
    gains, scores = _judged(collection, table)
    inverted = np.flatnonzero(gains > MARGIN)
    inverted = inverted[np.argsort(-gains[inverted], kind="stable")]
    odd = odd_rows(scores)
    odd = odd[~np.isin(odd, inverted)]
    return [
        *_modalities(table),
        *_finding(
            "W_INVERTED",
            inverted,
            table,
            "look more like the others as a negative: grey levels inverted, or a bright ground?",
        ),
        *_finding(
            "W_ODD_ONE",
            odd,
            table,
            "are unlike all others: another body part, another modality, or a damaged image?",
        ),
    ]


def _judged(
    collection: Collection, table: CollectionTable
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) gains as a negative, and (N,) oddness."""
    drawn = np.unique(np.linspace(0, len(table) - 1, min(_SAMPLE, len(table))).astype(np.int64))
    sample = np.concatenate(list(_pictures(collection, table, drawn)))
    upright = Upright(sample)
    usual = sample[upright.gains(sample) <= MARGIN]
    typical = Typical(picture_features(usual if 2 * len(usual) > len(sample) else sample))
    gains, scores = [], []
    for pictures in _pictures(collection, table, np.arange(len(table))):
        gains.append(upright.gains(pictures))
        scores.append(typical.scores(picture_features(pictures)))
    return np.concatenate(gains), np.concatenate(scores)


def _pictures(
    collection: Collection, table: CollectionTable, rows: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    start = 0
    for pixels in collection.batches(rows):
        native = table.native_shape[rows[start : start + len(pixels)]]
        start += len(pixels)
        for first in range(0, len(pixels), _BATCH):
            chosen = slice(first, first + _BATCH)
            yield small_pictures(pixels[chosen], native[chosen])


def _modalities(table: CollectionTable) -> list[QualityFinding]:
    kinds = np.array([_SAME_KIND.get(name, name) for name in table.modality.tolist()], np.str_)
    known = Counter(kinds[kinds != ""].tolist())
    if len(known) < 2:
        return []
    counts = Counter(name or "not known" for name in table.modality.tolist())
    told = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    rare = np.flatnonzero((kinds != "") & (kinds != known.most_common(1)[0][0]))
    text = f"modalities are mixed ({told}): a model may tell the modality in place of the diagnosis"
    return [QualityFinding("W_MODALITY", "warning", len(rare), text, *_shown(rare, table))]


def _finding(
    code: str, rows: NDArray[np.int64], table: CollectionTable, text: str
) -> Iterator[QualityFinding]:
    if len(rows):
        told = f"{len(rows)} of {len(table)} scans {text}"
        yield QualityFinding(code, "warning", len(rows), told, *_shown(rows, table))


def _shown(
    rows: Sequence[int] | NDArray[np.int64], table: CollectionTable
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    chosen = [int(row) for row in rows[:_SHOWN]]
    return tuple(str(table.path[row]) for row in chosen), tuple(chosen)
