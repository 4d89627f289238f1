"""`Density`: how far vectors lie from those that it was fitted on; few scans suffice for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_MOST_AXES = 64
_SCANS_AN_AXIS = 4
_ROUNDS = 2
_FLAT = 1e-6
_LEAST_SHARE = 1e-3  # of the mean variance, for the axes left out


@dataclass(frozen=True)
class Density:
    """Variances along the leading axes of standardised vectors, one variance for all the others.

    The squared Mahalanobis distance under such a covariance is the sum of Hotelling's T2 within
    the axes and the scaled squared error of the projection (Jackson & Mudholkar, Technometrics 21,
    1979); the covariance is that of probabilistic principal components (Tipping & Bishop, Journal
    of the Royal Statistical Society B 61, 1999). As a measure of foreign inputs to a network: Lee
    et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
    attacks", NeurIPS 2018.

    Attributes
    ----------
    mean, scale: (D,) of each column. axes: (D, K), orthonormal. variances: (K,). rest: (), the
        variance of every other direction.
    """

    mean: Floats
    scale: Floats
    axes: Floats
    variances: Floats
    rest: Floats

    @classmethod
    def fit(cls, vectors: Floats, *, trimmed: float = 0.1) -> Density:
        """From vectors (N, D), N >= 1; an axis is kept for every fourth scan, 64 at most.

        The share `trimmed` that lies furthest out is left out, in two rounds (Rousseeuw & Van
        Driessen's concentration steps, Technometrics 41, 1999): a few odd scans among those to
        learn from would widen everything.

        Examples
        --------
        >>> vectors = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
        >>> density = Density.fit(vectors)
        >>> near, far = density(np.array([[0.0] * 8, [9.0] * 8], np.float32))
        >>> bool(near < 1 < far)
        True
        """
        found = cls._of(vectors)
        kept = max(min(len(vectors), 2), round(len(vectors) * (1 - trimmed)))
        for _ in range(_ROUNDS if kept < len(vectors) else 0):
            nearest = np.sort(found(vectors).argsort(kind="stable")[:kept])
            found = cls._of(vectors[nearest])
        return found

    @classmethod
    def _of(cls, vectors: Floats) -> Density:
        mean = vectors.mean(axis=0, dtype=np.float64)
        spread = vectors.std(axis=0, dtype=np.float64)
        scale = np.where(spread > _FLAT, spread, 1.0)
        scaled = (vectors - mean) / scale
        count, width = scaled.shape
        kept = max(0, min(_MOST_AXES, count // _SCANS_AN_AXIS, width - 1))
        variances, axes = _principal(scaled, kept)
        left = float((scaled**2).sum() / count - variances.sum())
        rest = left / max(1, min(count - 1, width) - kept)
        floor = _LEAST_SHARE * max(float((scaled**2).mean()), _FLAT)
        return cls(
            mean.astype(np.float32),
            scale.astype(np.float32),
            axes.astype(np.float32),
            variances.clip(floor).astype(np.float32),
            np.asarray(max(rest, floor), np.float32),
        )

    def __call__(self, vectors: Floats) -> NDArray[np.float64]:
        """log(1 + d2 / D) (N,) of vectors (N, D), d2 the squared Mahalanobis distance."""
        scaled = ((vectors - self.mean) / self.scale).astype(np.float64)
        within = scaled @ self.axes.astype(np.float64)
        without = ((scaled**2).sum(axis=1) - (within**2).sum(axis=1)).clip(0)
        squared = (within**2 / self.variances).sum(axis=1) + without / float(self.rest)
        found: NDArray[np.float64] = np.log1p(squared / scaled.shape[1])
        return found


def _principal(
    centred: NDArray[np.float64], kept: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances (K,) and axes (D, K), from the smaller of the two Gram matrices."""
    count, width = centred.shape
    if count < width:
        values, within = np.linalg.eigh(centred @ centred.T)
        vectors = centred.T @ within / np.sqrt(np.clip(values, 1e-12, None))
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred)
    order = np.arange(len(values))[::-1][:kept]
    usable = order[values[order] > 1e-9 * max(float(values[-1]), 1e-12)]
    axes = np.ascontiguousarray(vectors[:, usable])
    return np.clip(values[usable], 0, None) / count, axes
