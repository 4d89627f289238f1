"""Machines with a Gaussian kernel: the support vector machine and the Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentdx.diagnosis.machine import Floats, by_blocks


@dataclass(frozen=True)
class RbfSvm:
    """Support vector machine with a Gaussian kernel: sum_m a_m exp(-gamma |x - v_m|^2) + b.

    Cortes & Vapnik, Machine Learning 20, 1995. `vectors` (M, D), `coefficients` (Q, M),
    `intercepts` (Q,), `gamma` (). Of many rows `vectors` are landmarks: see `fit_svm_large`.
    """

    vectors: Floats
    coefficients: Floats
    intercepts: Floats
    gamma: Floats

    def scores(self, features: Floats) -> Floats:
        """Signed distances in the kernel's space, (N, Q)."""
        return by_blocks(self._block, features)

    def _block(self, features: Floats) -> Floats:
        kernel = kernel_rows(features, self.vectors, self.gamma)
        found: Floats = kernel @ self.coefficients.T + self.intercepts
        return found


@dataclass(frozen=True)
class GaussianProcess:
    """Mean of a latent function, drawn to 0 where it is unsure: m / sqrt(1 + pi v / 8).

    The mean m = k . g and the variance v = amplitude - |W k|^2 follow from the kernel's row k of
    the scan against those that it was fitted on (Rasmussen & Williams, "Gaussian Processes for
    Machine Learning", 2006, algorithm 3.2); the score is the log-odds of the mean probability, by
    MacKay's formula (Neural Computation 4, 1992). `vectors` (M, D), `gradients` (Q, M),
    `spreads` (Q, M, M), `amplitude` (), `gamma` ().
    """

    vectors: Floats
    gradients: Floats
    spreads: Floats
    amplitude: Floats
    gamma: Floats

    def scores(self, features: Floats) -> Floats:
        """Log-odds (N, Q)."""
        return by_blocks(self._block, features)

    def _block(self, features: Floats) -> Floats:
        kernel = self.amplitude * kernel_rows(features, self.vectors, self.gamma)
        known = np.stack([((kernel @ spread.T) ** 2).sum(axis=1) for spread in self.spreads], 1)
        variance = np.maximum(self.amplitude - known, 0)
        means = kernel @ self.gradients.T
        found: Floats = (means / np.sqrt(1 + np.pi / 8 * variance)).astype(np.float32)
        return found


def kernel_rows(features: Floats, vectors: Floats, gamma: Floats | float) -> Floats:
    """exp(-gamma |x - v|^2), float32 (N, M), of features (N, D) and vectors (M, D)."""
    squared = features @ vectors.T
    squared *= -2
    squared += (features**2).sum(axis=1)[:, None]
    squared += (vectors**2).sum(axis=1)
    np.maximum(squared, 0, out=squared)
    squared *= -np.float32(gamma)
    kernel: Floats = np.exp(squared, out=squared)
    return kernel
