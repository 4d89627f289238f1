"""Scaling of features, fitted on the training side only: standardising and principal components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Standardiser:
    """(x - mean) / scale by column; `mean` and `scale` are (D,)."""

    mean: Floats
    scale: Floats

    @classmethod
    def fit(cls, features: Floats) -> Standardiser:
        """From features (N, D); constant columns are only centred."""
        scale = features.std(axis=0, dtype=np.float64).astype(np.float32)
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        return cls(mean, np.where(scale > 1e-6, scale, np.float32(1)))

    def beside(self, count: int) -> Standardiser:
        """For features (N, D + count), of which the last `count` are left as they are."""
        ones = np.ones(count, np.float32)
        return Standardiser(np.append(self.mean, 0 * ones), np.append(self.scale, ones))

    def __call__(self, features: Floats) -> Floats:
        """The same shape (N, D)."""
        scaled: Floats = ((features - self.mean) / self.scale).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class PrincipalComponents:
    """Principal components (x - mean) @ axes, whitened, in part or not at all.

    `mean` is (D,), `axes` (D, M). Pearson, Philosophical Magazine 2, 1901; computed exactly, from
    the smaller of the two Gram matrices.
    """

    mean: Floats
    axes: Floats

    @classmethod
    def fit(
        cls, features: Floats, n_components: int, whitening: float = 1.0
    ) -> PrincipalComponents:
        """From features (N, D): at most `n_components`, fewer for few or dependent scans.

        A component of deviation s is divided by s ** `whitening`: 1 makes all weigh the same, also
        those of noise; 0 leaves to each its own; a half lies between. Their mean variance is 1.

        Examples
        --------
        >>> features = np.array([[-4, 0], [4, 0], [0, -1], [0, 1]], np.float32)
        >>> [round(float(np.ptp(PrincipalComponents.fit(features, 2, w)(features)[:, 1])), 2)
        ...  for w in (1.0, 0.5, 0.0)]
        [2.45, 1.55, 0.84]
        """
        (found,) = cls.fit_forms(features, n_components, (whitening,))
        return found

    @classmethod
    def fit_forms(
        cls, features: Floats, n_components: int, whitenings: Sequence[float]
    ) -> list[PrincipalComponents]:
        """`fit` for each of some whitenings, at the cost of one."""
        mean = features.mean(axis=0, dtype=np.float64)
        axes, spread = _axes(features - mean, n_components)
        found = []
        for whitening in whitenings:
            weights = spread**-whitening / np.sqrt((spread ** (2 - 2 * whitening)).mean())
            # in the order of memory in which it will be loaded again: sums then round alike
            scaled = (axes * weights).astype(np.float32, order="C")
            found.append(cls(mean.astype(np.float32), scaled))
        return found

    def beside(self, count: int, weight: float) -> PrincipalComponents:
        """For features (N, D + count): the last `count` are handed through behind the components.

        They are scaled so that one of variance 1 counts `weight` times as much as all M components
        together.

        Examples
        --------
        >>> components = PrincipalComponents(np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
        >>> components.beside(1, 0.5)(np.array([[3, 4, 2]], np.float32)).tolist()
        [[3.0, 4.0, 2.0]]
        """
        width, kept = self.axes.shape
        axes = np.zeros((width + count, kept + count), np.float32)
        axes[:width, :kept] = self.axes
        axes[width:, kept:] = np.sqrt(weight * kept) * np.eye(count)
        return PrincipalComponents(np.append(self.mean, np.zeros(count, np.float32)), axes)

    def __call__(self, features: Floats) -> Floats:
        """(N, D) to (N, M).

        Summed in 64 bits: in 32 a scan's numbers round by where in the batch it lies.
        """
        axes = self.axes.astype(np.float64)
        found = np.empty((len(features), axes.shape[1]), np.float32)
        for start in range(0, len(features), _BLOCK):
            rows = slice(start, start + _BLOCK)
            found[rows] = (features[rows] - self.mean).astype(np.float64) @ axes
        return found


_BLOCK = 4096  # scans that are projected together
_MOST_EXACT = 2000  # scans or columns, the fewer of the two


def _axes(
    centred: NDArray[np.float64], n_components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (D, M) of largest variance of (N, D), largest first, and deviations (M,)."""
    n_scans, width = centred.shape
    kept = min(n_components, max(1, n_scans - 1), width)
    found = _sketched if min(n_scans, width) > max(_MOST_EXACT, 4 * kept) else _exact
    vectors, lengths = found(centred, kept)
    spread = lengths / np.sqrt(max(1, n_scans - 1))
    usable = spread > max(1e-4 * float(spread[0]), 1e-9)
    usable[0] = True
    return _signed(vectors[:, usable]), np.maximum(spread[usable], 1e-9)


def _exact(
    centred: NDArray[np.float64], kept: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right singular vectors (D, kept) and values of (N, D), the largest first."""
    from scipy.linalg import eigh

    n_scans, width = centred.shape
    side = min(n_scans, width)
    gram = centred @ centred.T if n_scans < width else centred.T @ centred
    values, vectors = eigh(gram, subset_by_index=(side - kept, side - 1))
    if n_scans < width:
        vectors = centred.T @ vectors / np.sqrt(np.clip(values, 1e-12, None))
    return vectors[:, ::-1], np.sqrt(np.clip(values[::-1], 0, None))


def _sketched(
    centred: NDArray[np.float64], kept: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same by subspace iteration from random directions, in 32 bits: many times as fast.

    Halko, Martinsson & Tropp, SIAM Review 2011; scikit-learn's implementation.
    """
    from sklearn.utils.extmath import randomized_svd

    _, lengths, axes = randomized_svd(
        centred.astype(np.float32), kept, n_oversamples=kept // 4 + 10, n_iter=6, random_state=0
    )
    return axes.T.astype(np.float64), lengths.astype(np.float64)


def _signed(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sign of an axis is free: its largest entry becomes positive, on every machine."""
    largest = np.abs(axes).argmax(axis=0)
    signs: NDArray[np.float64] = np.sign(axes[largest, np.arange(axes.shape[1])])
    return axes * np.where(signs == 0, 1, signs)
