"""Labels for unlabelled scans of the training side: by neighbours, or by a first classifier.

    spread   labels flow along a graph of nearest neighbours until they settle (Zhou et al.,
             "Learning with local and global consistency", NIPS 2003)
    pseudo   a classifier of the labels names the others (Lee, "Pseudo-label", ICML workshop 2013)

Of either, each class takes only those that it is surest of, in the proportion in which it is
labelled: otherwise the easiest class would take most (Zou et al., "class-balanced self-training",
ECCV 2018). They join the labelled scans without augmented copies, so that each weighs a fraction of
a labelled scan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.suggest import scaled
from latentdx.features.table import FeatureTable

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Table = NDArray[np.float64]
SemiSupervised = Literal["none", "spread", "pseudo", "consistency"]
GUESSING: tuple[SemiSupervised, ...] = ("spread", "pseudo")
"""Those that label scans for the classifier; ``consistency`` is a fine-tuned network's."""

NEIGHBOURS = 10
ALPHA = 0.99  # how much of a scan's label is its neighbours'
SHARE = 0.25  # of the unlabelled scans, that get a label
_BLOCK = 1024


@dataclass(frozen=True)
class Guessed:
    """Rows (M,) that got a label, ascending, and their labels (M,)."""

    rows: Ints
    labels: Ints


def spread_labels(features: Floats, labels: Ints, n_classes: int) -> Table:
    """What labels become of each row, (N, K), rows summing to 1; every class has the same mass.

    Parameters
    ----------
    features: float32 (N, D); labels: int (N,), -1 where there is none; every class has some.

    F = (1 - a) (I - a S)^-1 Y with S = D^-1/2 W D^-1/2, W the neighbours' Gaussian weights, as wide
    as the distance to the tenth neighbour (Zelnik-Manor & Perona, 2004). A row that no label
    reaches belongs to all classes alike.

    Examples
    --------
    >>> line = np.array([[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]], np.float32)
    >>> found = spread_labels(line, np.array([0, -1, -1, -1, -1, 1]), 2)
    >>> found.argmax(axis=1).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import cg

    graph = _graph(features)
    known = np.zeros((len(labels), n_classes))
    rows = np.flatnonzero(labels >= 0)
    known[rows, labels[rows]] = 1
    known /= np.maximum(known.sum(axis=0), 1)  # every class starts with the same mass
    system: Any = eye_array(len(labels)) - ALPHA * graph
    # positive definite; exactly solved it would be dense
    columns = [cg(system, column, rtol=1e-8, atol=0.0)[0] for column in known.T]
    spread = np.maximum(np.stack(columns, axis=1), 0)
    spread /= np.maximum(spread.sum(axis=0), 1e-12)
    total = spread.sum(axis=1, keepdims=True)
    found: Table = np.where(total > 1e-12, spread / np.maximum(total, 1e-12), 1 / n_classes)
    return found


def surest(probabilities: Table, shares: Table, share: float = SHARE) -> Guessed:
    """Rows of (N, K) to be labelled: of each class those that it is surest of.

    `shares` (K,) of the classes among the labels: class k gets at most ``share * N * shares[k]``
    rows, of those for which it is the likeliest.

    Examples
    --------
    >>> table = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    >>> found = surest(table, np.array([0.5, 0.5]), share=0.5)
    >>> found.rows.tolist(), found.labels.tolist()
    ([0, 3], [0, 1])
    """
    likeliest = probabilities.argmax(axis=1)
    kept = []
    for label, part in enumerate(shares / shares.sum()):
        rows = np.flatnonzero(likeliest == label)
        count = int(share * part * len(probabilities))
        kept.append(rows[np.argsort(-probabilities[rows, label], kind="stable")][:count])
    rows = np.sort(np.concatenate(kept))
    return Guessed(rows, likeliest[rows].astype(np.int64))


def guess(
    known: FeatureTable, others: FeatureTable, scores: Floats | None, share: float = SHARE
) -> FeatureTable:
    """The unlabelled scans `others` that get a label, with it; `known` are the labelled ones.

    `scores` (N, Q) of the others by a classifier of the labels (``pseudo``), or None (``spread``).
    """
    n_classes = len(known.classes)
    if scores is None:
        labels = np.concatenate([known.labels, np.full(len(others), -1)])
        features = scaled(np.concatenate([known.embeddings, others.embeddings]))
        table = spread_labels(features, labels, n_classes)[len(known) :]
    else:
        wide = np.concatenate([-scores, scores], axis=1) if n_classes == 2 else scores
        table = wide.astype(np.float64)
    shares = np.bincount(known.labels, minlength=n_classes).astype(np.float64)
    found = surest(table, shares, share)
    return replace(others.take(found.rows), labels=found.labels)


def _graph(features: Floats) -> Any:
    """S, a sparse (N, N) matrix, symmetric."""
    from scipy.sparse import coo_matrix, diags

    nearest, apart = _neighbours(features)
    width = np.maximum(np.sqrt(apart[:, -1]), 1e-6)
    weight = np.exp(-apart / (width[:, None] * width[nearest]))
    size, count = nearest.shape
    rows = np.repeat(np.arange(size), count)
    one_way = coo_matrix((weight.ravel(), (rows, nearest.ravel())), shape=(size, size)).tocsr()
    graph = one_way.maximum(one_way.T)
    root = diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)))
    return root @ graph @ root


def _neighbours(features: Floats) -> tuple[Ints, Table]:
    """Numbers and squared distances (N, k) of each row's nearest other rows, ascending."""
    rows = features.astype(np.float64)
    lengths = (rows**2).sum(axis=1)
    count = min(NEIGHBOURS, len(rows) - 1)
    found, distances = [], []
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        apart = lengths[block, None] + lengths - 2 * rows[block] @ rows.T
        own = np.arange(len(apart))
        apart[own, start + own] = np.inf
        near = np.argpartition(apart, count - 1, axis=1)[:, :count]
        near = np.take_along_axis(near, np.take_along_axis(apart, near, 1).argsort(axis=1), 1)
        found.append(near)
        distances.append(np.maximum(np.take_along_axis(apart, near, axis=1), 0))
    return np.concatenate(found), np.concatenate(distances)
