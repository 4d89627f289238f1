"""What a head sees of scans: their embeddings, and those of their mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.features.table import Extract, flipped, put_beside

Floats = NDArray[np.float32]


class Scorer(Protocol):
    """What gives embeddings scores: a head."""

    def scores(self, embeddings: Floats) -> Floats:
        """Uncalibrated scores (N, Q) of embeddings (N, D)."""


class Weighing(Scorer, Protocol):
    """What also says which scans of a case count."""

    def importance(self, embeddings: Floats) -> Floats | None:
        """Of scans with embeddings (N, D), (N,); None where all scans of a case count alike."""


@dataclass(frozen=True)
class Viewed:
    """Scans with the embeddings of their `views_of`: extracted once, for as many heads as like."""

    scans: LabelledScans
    views: tuple[Floats, ...]

    @classmethod
    def of(cls, scans: LabelledScans, extract: Extract, *, flip: bool) -> Viewed:
        """The scans, seen."""
        return cls(scans, views_of(scans.pixels, extract, flip=flip, beside=scans.beside))

    def scores(self, head: Weighing) -> Floats:
        """Uncalibrated scores (M, Q) of the cases that are decided."""
        return self.scans.pooled(score_views(head, self.views), weigh_views(head, self.views))

    @property
    def decided(self) -> LabelledScans:
        """The cases that the scores are of."""
        return self.scans.decided()


def views_of(
    pixels: Floats, extract: Extract, *, flip: bool, beside: Floats | None = None
) -> tuple[Floats, ...]:
    """Embeddings (N, D) of pixels (N, C, *spatial) and, where `flip`, of their mirror images.

    What stands beside the pictures, (N, K), is behind either.
    """
    seen = (extract(pixels), extract(flipped(pixels))) if flip else (extract(pixels),)
    return tuple(put_beside(each, beside) for each in seen)


def score_views(head: Scorer, views: Sequence[Floats]) -> Floats:
    """Scores (N, Q), averaged over one or two views of the same scans, each (N, D)."""
    scores = head.scores(views[0])
    if len(views) > 1:
        scores = ((scores + head.scores(views[1])) / 2).astype(np.float32)
    return scores


def weigh_views(head: Weighing, views: Sequence[Floats]) -> Floats | None:
    """Importance (N,), averaged over the views of the same scans; None where all count alike."""
    found = [head.importance(view) for view in views]
    told = [each for each in found if each is not None]
    if not told:
        return None
    mean: Floats = (sum(told[1:], told[0]) / len(told)).astype(np.float32)
    return mean
