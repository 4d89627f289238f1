"""How strange a scan is: where its embedding lies, and how well it is rebuilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FAR = 2.0


@dataclass(frozen=True)
class AnomalyGate:
    """Two measures of strangeness, and their values on the ``calibrate`` part, sorted.

    Attributes
    ----------
    distances: (M,) squared length of the whitened embedding (Mahalanobis distance to the training
        part's mean) of scans known to be of the right kind.
    errors: (M,) reconstruction errors of the same scans.
    """

    distances: Floats
    errors: Floats

    @classmethod
    def fit(cls, whitened: Floats, errors: Floats) -> AnomalyGate:
        """From whitened embeddings (M, D) and reconstruction errors (M,)."""
        return cls(np.sort(_length(whitened)), np.sort(errors.astype(np.float32)))

    def scores(self, whitened: Floats, errors: Floats) -> NDArray[np.float64]:
        """Anomaly scores (N,) in 0..1.

        One minus the smaller of two p-values (the share of calibration scans that are at least as
        strange), doubled for having asked twice: of scans like those, 5 % score above 0.95 at
        most.
        """
        p_distance = _share_above(self.distances, _length(whitened))
        p_error = _share_above(self.errors, errors)
        found: NDArray[np.float64] = 1 - np.minimum(1, 2 * np.minimum(p_distance, p_error))
        return found

    def is_foreign(self, whitened: Floats, errors: Floats) -> NDArray[np.bool_]:
        """(N,) True where either measure is over twice the strangest calibration scan's."""
        far = _length(whitened) > _FAR * self.distances[-1]
        unlike: NDArray[np.bool_] = far | (errors > _FAR * self.errors[-1])
        return unlike


def reconstruction_errors(pixels: Floats, reconstructions: Floats) -> Floats:
    """Mean absolute error (N,) of reconstructions of pixels (N, C, *spatial).

    Divided by each scan's own standard deviation: smooth scans are easier to rebuild.
    """
    axes = tuple(range(1, pixels.ndim))
    errors = np.abs(pixels - reconstructions).mean(axis=axes)
    found: Floats = errors / np.maximum(pixels.std(axis=axes), 0.02)
    return found


def _length(whitened: Floats) -> Floats:
    found: Floats = (whitened**2).sum(axis=1)
    return found


def _share_above(reference: Floats, values: Floats) -> NDArray[np.float64]:
    """p-values (N,): (1 + number of reference values >= value) / (M + 1)."""
    at_least = len(reference) - np.searchsorted(reference, values, "left")
    return (1 + at_least) / (len(reference) + 1)
