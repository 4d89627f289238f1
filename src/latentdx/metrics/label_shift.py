"""Class shares of scans without labels, where nothing but the shares has changed.

Label shift: the scans of each class look as they did, but the classes are as common as elsewhere.
Then what a classifier says of the new scans is a mixture of what it said of held-out scans of each
class, and the weights of the mixture are the shares. Two estimates of them, and probabilities that
go by other shares than those they were calibrated with.
"""

from __future__ import annotations

import numpy as np

from latentdx.metrics.metric import Floats, Ints

_STEPS, _CLOSE = 500, 1e-6
_SINGULAR = 0.05


def bbse(labels: Ints, decisions: Ints, weights: Floats, told: Floats) -> Floats:
    """Shares (B, K) that explain how often each class is decided: black box shift estimation.

    Solves ``told = C shares``, C the chance of each decision given the class, and cuts what lies
    outside 0..1. Lipton, Wang and Smola, ICML 2018.

    Parameters
    ----------
    labels, decisions: (R,) of held-out patients, classes 0..K-1.
    weights: (B, R) of these patients.
    told: (B, K), the share of each decision among the new scans.

    Returns
    -------
    Shares that sum to 1; NaN where a class is missing or decisions hardly tell classes apart.

    Examples
    --------
    >>> labels, decisions = np.repeat([0, 1], 10), np.array([0] * 9 + [1] * 9 + [0] * 2)
    >>> bbse(labels, decisions, np.ones((1, 20)), np.array([[0.41, 0.59]])).round(2).tolist()
    [[0.3, 0.7]]
    """
    n_classes = told.shape[1]
    classes = np.eye(n_classes)
    each = np.einsum("br,ri,rj->bij", weights, classes[decisions], classes[labels], optimize=True)
    totals = each.sum(axis=1, keepdims=True)
    chances = each / np.where(totals > 0, totals, np.nan)
    known = np.isfinite(chances).all(axis=(1, 2))
    known[known] = np.linalg.svd(chances[known], compute_uv=False)[:, -1] > _SINGULAR
    found = np.full_like(told, np.nan)
    found[known] = np.linalg.solve(chances[known], told[known][..., None])[..., 0]
    found = np.clip(found, 0, 1)
    shares: Floats = found / found.sum(axis=1, keepdims=True)
    return shares


def likeliest_shares(probabilities: Floats, weights: Floats, source: Floats) -> Floats:
    """Shares (B, K) under which probabilities (N, K) of the new scans are likeliest, by EM.

    Saerens, Latinne and Decaestecker, Neural Computation 14, 2002. The probabilities must be
    calibrated where classes have the shares `source` (B, K); `weights` (B, N) are of the new scans.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1]] * 41 + [[0.1, 0.9]] * 59)
    >>> likeliest_shares(p, np.ones((1, 100)), np.array([[0.5, 0.5]])).round(2).tolist()
    [[0.39, 0.61]]
    """
    total = weights.sum(axis=1, keepdims=True)
    shares = source.copy()
    for _ in range(_STEPS):
        ratio = shares / source
        evidence = np.maximum(ratio @ probabilities.T, 1e-12)
        after = ratio * ((weights / evidence) @ probabilities) / total
        step = np.abs(after - shares).max(initial=0)
        shares = after
        if step < _CLOSE:
            break
    return shares


def with_shares(probabilities: Floats, source: Floats, target: Floats) -> Floats:
    """Probabilities (N, K) as they are where classes have shares `target` (K,), not `source`.

    Examples
    --------
    >>> given = np.array([[0.5, 0.5]])
    >>> with_shares(given, np.array([0.5, 0.5]), np.array([0.9, 0.1])).round(2).tolist()
    [[0.9, 0.1]]
    """
    found = probabilities * (target / source)
    table: Floats = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)
    return table
