"""What a classifier is at prediction: a `Machine`, which makes scores of arrays that it holds.

Each has a row a question: one for two classes (the second against the first), else one a class
(against the rest). Its scores are higher the likelier the class, and are no probabilities yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BLOCK = 1024
"""Rows scored at a time."""


class Machine(Protocol):
    """From features (N, D) to scores (N, Q), Q questions."""

    def scores(self, features: Floats) -> Floats:
        """Scores (N, Q) of features (N, D)."""
        ...


def by_blocks(score: Callable[[Floats], Floats], features: Floats) -> Floats:
    """`score` of features (N, D), some rows at a time: what it needs in between stays small."""
    starts = range(0, max(1, len(features)), BLOCK)
    return np.concatenate([score(features[start : start + BLOCK]) for start in starts])
