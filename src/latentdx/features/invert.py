"""Inversion: what of a scan can be painted again from its embedding alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.features.whiten import Standardiser

Floats = NDArray[np.float32]

_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_HELD_OUT = 5  # every fifth scan


class Inverted(NamedTuple):
    """Scans (N, C, *spatial) painted from embeddings, and the mean scan in their place."""

    painted: Floats
    mean: Floats


def invert(known: Floats, pictures: Floats, asked: Floats) -> Inverted:
    """Paint scans from embeddings `asked` (N, D), as an attacker with pairs of others would.

    known: (M, D), embeddings of `pictures` (M, C, *spatial). A ridge regression from standardised
    embeddings to pixels, its penalty chosen on every fifth pair: the simplest inversion there is,
    so what it paints is a lower bound of what could be (Mahendran & Vedaldi, "Understanding deep
    image representations by inverting them", CVPR 2015, go further).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pictures = rng.random((40, 1, 2, 2), np.float32)
    >>> found = invert(pictures.reshape(40, 4), pictures, pictures.reshape(40, 4)[:3])
    >>> bool(np.abs(found.painted - pictures[:3]).max() < 0.01)
    True
    """
    scale = Standardiser.fit(known)
    rows, wanted = scale(known).astype(np.float64), scale(asked).astype(np.float64)
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    held = np.arange(len(rows)) % _HELD_OUT == 0
    errors = [
        ((_painted(rows[~held], flat[~held], rows[held], each) - flat[held]) ** 2).mean()
        for each in _STRENGTHS
    ]
    best = _STRENGTHS[int(np.argmin(errors))]
    painted = _painted(rows, flat, wanted, best).clip(0, 1).astype(np.float32)
    shape = (len(asked), *pictures.shape[1:])
    mean = np.broadcast_to(pictures.mean(axis=0), shape).astype(np.float32)
    return Inverted(painted.reshape(shape), mean)


def _painted(
    rows: NDArray[np.float64],
    flat: NDArray[np.float64],
    asked: NDArray[np.float64],
    strength: float,
) -> NDArray[np.float64]:
    """In the dual form: scans are fewer than numbers of an embedding, mostly."""
    mean = flat.mean(axis=0)
    gram = rows @ rows.T
    gram[np.diag_indices(len(gram))] += strength * max(float(np.trace(gram)) / len(gram), 1e-9)
    weights = np.linalg.solve(gram, flat - mean)
    found: NDArray[np.float64] = mean + (asked @ rows.T) @ weights
    return found
