"""Moments of features, and maps that move one sample onto another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_LEAST = 1e-6
"""Of a variance, as a share of the mean one: smaller ones are taken for this."""


@dataclass(frozen=True)
class Affine:
    """x @ matrix + shift, of rows (N, M); `matrix` is (M, M), `shift` (M,)."""

    matrix: Doubles
    shift: Doubles

    @classmethod
    def of(cls, matrix: Doubles, first: Doubles, second: Doubles) -> Affine:
        """The one with this matrix that takes the point `first` to `second`."""
        return cls(matrix, second - first @ matrix)

    def __call__(self, features: Floats) -> Floats:
        """The same shape (N, M)."""
        found: Floats = (features @ self.matrix + self.shift).astype(np.float32)
        return found


@dataclass(frozen=True)
class Columns:
    """x * scale + shift, each column by itself; both are (D,)."""

    scale: Doubles
    shift: Doubles

    def __call__(self, features: Floats) -> Floats:
        """The same shape (N, D)."""
        found: Floats = (features * self.scale + self.shift).astype(np.float32)
        return found


@dataclass(frozen=True)
class Moments:
    """Mean (M,) and covariance (M, M) of features."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, features: Floats) -> Moments:
        """From features (N, M)."""
        exact = features.astype(np.float64)
        centred = exact - exact.mean(axis=0)
        covariance = centred.T @ centred / len(exact)
        return cls(exact.mean(axis=0).astype(np.float32), covariance.astype(np.float32))


@dataclass(frozen=True)
class Spread:
    """Mean (D,) and standard deviation (D,) of features, each column by itself."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, features: Floats) -> Spread:
        """From features (N, D); a constant column gets the least deviation that counts."""
        deviation = features.std(axis=0, dtype=np.float64)
        least = np.sqrt(_LEAST * max(float((deviation**2).mean()), 1e-12))
        mean = features.mean(axis=0, dtype=np.float64)
        return cls(mean.astype(np.float32), np.maximum(deviation, least).astype(np.float32))


def with_spectrum(symmetric: Doubles, change: Callable[[Doubles], Doubles]) -> Doubles:
    """A symmetric matrix with `change` made to its eigenvalues, which are kept above 0.

    Examples
    --------
    >>> with_spectrum(np.diag([4.0, 9.0]), np.sqrt).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    values, vectors = np.linalg.eigh(symmetric)
    least = _LEAST * max(float(values.mean()), 1e-12)
    found: Doubles = (vectors * change(np.maximum(values, least))) @ vectors.T
    return found


def to_power(symmetric: Doubles, power: float) -> Doubles:
    """A positive matrix to a power, such as its root."""

    def change(values: Doubles) -> Doubles:
        found: Doubles = values**power
        return found

    return with_spectrum(symmetric, change)
