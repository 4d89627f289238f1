"""Do two samples come from one population? Tests by permutation, and how far they lie apart.

Every row is a patient: rows must be independent of each other, or the tests are too sure. Where
both samples are of one population a p-value below a comes in a share a of cohorts, at most.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.discrimination import auroc
from latentdx.metrics.metric import Floats
from latentdx.metrics.permutation import permuted_p

PERMUTATIONS = 1999
MOST_ROWS = 1000
"""Of each sample: a distance does not want more, and its kernel grows with their square."""
_FOLDS = 5
_SHRINK = 0.1


def discrepancy_p(first: Floats, second: Floats, generator: np.random.Generator) -> float:
    """P-value of the maximum mean discrepancy of samples (N, D) and (M, D).

    Gaussian kernel, its width the median distance (Gretton and others, JMLR 13, 2012).

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> discrepancy_p(chance.normal(size=(60, 3)), chance.normal(1, 1, (60, 3)), chance) < 0.01
    True
    """
    kernel = gaussian_kernel(np.concatenate([first, second]))
    return _by_contrast(len(first), len(second), kernel, generator)


class Discrepancy(NamedTuple):
    """A squared maximum mean discrepancy, and its p-value; 0 is none, and chance goes below."""

    value: float
    p: float


def discrepancy(own: Floats, other: Floats, generator: np.random.Generator) -> Discrepancy | None:
    """Of samples (N, D) and (M, D), by a kernel that the first alone makes; None of a single row.

    So that two others can be compared by their distance to it: columns are scaled by its means and
    deviations, the width is the median distance within it. Unbiased (Gretton and others, JMLR 13,
    2012). At most 1000 rows of each are looked at.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> own, near = chance.normal(size=(2, 60, 3))
    >>> found = [discrepancy(own, near + gap, chance) for gap in (0, 1, 3)]
    >>> [round(each.value, 1) for each in found if each]
    [0.0, 0.2, 0.7]
    """
    own, other = own[:MOST_ROWS], other[:MOST_ROWS]
    n, m = len(own), len(other)
    if min(n, m) < 2:
        return None
    spread = own.std(axis=0)
    both = (np.concatenate([own, other]) - own.mean(axis=0)) / np.where(
        spread > 1e-12, spread, np.inf
    )
    gaps = _squared(both)
    width = np.median(gaps[:n, :n][np.triu_indices(n, 1)])
    kernel: Floats = np.exp(-gaps / max(width, 1e-12))
    p = _by_contrast(n, m, kernel, generator)
    within = [(part.sum() - len(part)) / (len(part) * (len(part) - 1))
              for part in (kernel[:n, :n], kernel[n:, n:])]  # fmt: skip
    return Discrepancy(float(sum(within) - 2 * kernel[:n, n:].mean()), p)


def gaussian_kernel(points: Floats) -> Floats:
    """(N, N) of points (N, D), scaled by column; its width is the median distance.

    Examples
    --------
    >>> gaussian_kernel(np.array([[0.0], [0.0], [1.0], [1.0]]))[0].round(2).tolist()
    [1.0, 1.0, 0.37, 0.37]
    """
    points = _scaled(points)
    gaps = _squared(points)
    width = np.median(gaps[np.triu_indices(len(gaps), 1)])
    found: Floats = np.exp(-gaps / max(width, 1e-12))
    return found


def shares_p(first: NDArray[Any], second: NDArray[Any], generator: np.random.Generator) -> float:
    """P-value of a difference in the shares of categories, of samples (N,) and (M,).

    The statistic is Pearson's chi-squared; its distribution that of permutations.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> shares_p(np.array(["f"] * 40), np.array(["m"] * 40), chance)
    0.0005
    """
    _, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    hot = np.eye(codes.max() + 1)[codes]
    common = hot / np.sqrt(hot.sum(axis=0))
    return _by_contrast(len(first), len(second), common @ common.T, generator)


def told_apart(first: Floats, second: Floats, generator: np.random.Generator) -> float:
    """How well a linear discriminant tells the samples (N, D), (M, D) apart: AUROC, .5 is not.

    On patients that it was not fitted on, in five folds (a classifier two-sample test: Lopez-Paz
    and Oquab, ICLR 2017).

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> told_apart(chance.normal(size=(80, 3)), chance.normal(6, 1, (80, 3)), chance)
    1.0
    """
    points = _scaled(np.concatenate([first, second]))
    labels = np.repeat([0, 1], [len(first), len(second)])
    folds = np.empty(len(labels), np.int64)
    for label in (0, 1):
        rows = generator.permutation(np.flatnonzero(labels == label))
        folds[rows] = np.arange(len(rows)) % _FOLDS
    found = []
    for fold in range(_FOLDS):
        held = folds == fold
        axis = _discriminant(points[~held], labels[~held])
        found.append(auroc(labels[held], points[held] @ axis))
    return float(np.nanmean(found))


def total_variation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Half the sum of differences in the shares of categories: 0 alike, 1 nothing in common.

    Examples
    --------
    >>> total_variation(np.array(["f", "m"]), np.array(["f", "f"]))
    0.5
    """
    levels = np.unique(np.concatenate([first, second]))
    gaps = [abs((first == level).mean() - (second == level).mean()) for level in levels]
    return float(sum(gaps) / 2)


def _squared(points: Floats) -> Floats:
    """(N, N), squared distances of points (N, D)."""
    squares = (points**2).sum(axis=1)
    found: Floats = np.maximum(0, squares[:, None] + squares - 2 * points @ points.T)
    return found


def _by_contrast(n: int, m: int, kernel: Floats, generator: np.random.Generator) -> float:
    """Of w'Kw, w the contrast of the means; permutations exchange patients."""
    contrast = np.repeat([1 / n, -1 / m], [n, m])

    def draw(count: int) -> Floats:
        drawn = generator.permuted(np.tile(contrast, (count, 1)), axis=1)
        found: Floats = ((drawn @ kernel) * drawn).sum(axis=1)
        return found

    return permuted_p(float(contrast @ kernel @ contrast), draw, PERMUTATIONS)


def _scaled(points: Floats) -> Floats:
    """Columns of mean 0 and deviation 1, those without any are 0."""
    spread = points.std(axis=0)
    found: Floats = (points - points.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
    return found


def _discriminant(points: Floats, labels: NDArray[np.int64]) -> Floats:
    """Fisher's axis, the scatter within shrunk towards the identity."""
    means = [points[labels == label].mean(axis=0) for label in (0, 1)]
    centred = points - np.stack(means)[labels]
    scatter = centred.T @ centred / len(points)
    ridge = _SHRINK * max(float(np.trace(scatter)) / len(scatter), 1e-9)
    axis: Floats = np.linalg.solve(scatter + ridge * np.eye(len(scatter)), means[1] - means[0])
    return axis
