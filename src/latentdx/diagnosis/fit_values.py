"""Fitting machines that predict a number. Values (N,) are standardised: mean 0, deviation 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.fit_gaussian_process import MOST_ROWS
from latentdx.diagnosis.fit_svm import EXACT_ROWS, gaussian_kernel
from latentdx.diagnosis.fit_svm_large import N_LANDMARKS
from latentdx.diagnosis.machine import BLOCK, Floats
from latentdx.diagnosis.machines_kernel import RbfSvm, kernel_rows
from latentdx.diagnosis.machines_linear import Linear
from latentdx.diagnosis.machines_neighbours import NeighbourMeans
from latentdx.diagnosis.task import kernel_width

Values = NDArray[np.float64]

_TUBE = 0.1  # deviations within which an error counts nothing
_KERNEL_ROWS = 15_000


def fit_value_svm(features: Floats, values: Values, strength: float) -> RbfSvm:
    """Support vector regression with a Gaussian kernel; `strength` is C.

    Errors below a tenth of a deviation count nothing, beyond by their size (Drucker et al.,
    "Support vector regression machines", NIPS 1996). Above 20,000 rows by `fit_landmarks`.
    """
    from sklearn.svm import SVR

    if len(features) > EXACT_ROWS:
        return fit_landmarks(features, values, strength)
    gamma, is_small = kernel_width(features), len(features) <= _KERNEL_ROWS
    given = gaussian_kernel(features, gamma) if is_small else features
    kernel = "precomputed" if is_small else "rbf"
    model = SVR(C=strength, epsilon=_TUBE, kernel=kernel, gamma=gamma, cache_size=1000)
    model.fit(given, values)
    return RbfSvm(
        features[model.support_],
        model.dual_coef_.astype(np.float32),
        model.intercept_.astype(np.float32),
        np.asarray(gamma, np.float32),
    )


def fit_landmarks(features: Floats, values: Values, strength: float) -> RbfSvm:
    """Least squares with a Gaussian kernel at 2,000 landmarks; `strength` is C.

    sum_i (y_i - k_i a - b)^2 + a'Ka / C (Rudi, Camoriano & Rosasco, "Less is more", NIPS 2015).
    """
    gamma = kernel_width(features)
    drawn = numpy_generator(0, "landmarks").choice(len(features), N_LANDMARKS, replace=False)
    landmarks = features[np.sort(drawn)]
    square = np.zeros((len(landmarks) + 1,) * 2)
    right = np.zeros(len(landmarks) + 1)
    for start in range(0, len(features), BLOCK):
        rows = kernel_rows(features[start : start + BLOCK], landmarks, gamma).astype(np.float64)
        rows = np.column_stack([rows, np.ones(len(rows))])
        square += rows.T @ rows
        right += rows.T @ values[start : start + BLOCK]
    square[:-1, :-1] += kernel_rows(landmarks, landmarks, gamma) / strength
    square[np.diag_indices(len(landmarks))] += 1e-4 * len(landmarks) / strength
    found = np.linalg.solve(square, right).astype(np.float32)
    return RbfSvm(landmarks, found[None, :-1], found[-1:], np.asarray(gamma, np.float32))


def fit_ridge(features: Floats, values: Values, strength: float) -> Linear:
    """Least squares on a line, mean squared error + `strength` |w|^2.

    Hoerl & Kennard, "Ridge regression", Technometrics 12, 1970.
    """
    rows = features.astype(np.float64)
    centre, middle = rows.mean(axis=0), values.mean()
    rows = rows - centre
    square = rows.T @ rows / len(rows) + strength * np.eye(rows.shape[1])
    weights = np.linalg.solve(square, rows.T @ (values - middle) / len(rows))
    intercept = np.array([middle - centre @ weights], np.float32)
    return Linear(weights[None].astype(np.float32), intercept)


def fit_neighbour_means(features: Floats, values: Values, strength: float) -> NeighbourMeans:
    """The mean of the nearest; `strength` is k."""
    return NeighbourMeans(features, values.astype(np.float32), np.asarray(int(strength)))


def fit_kernel_ridge(features: Floats, values: Values, strength: float) -> RbfSvm:
    """The mean of a Gaussian process; `strength` is the variance of the noise.

    Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1; the
    function's own variance is 1. Raises `StopError` ``E_TOO_MANY`` above 1000 rows.
    """
    if (count := len(features)) > MOST_ROWS:
        found = f"a Gaussian process takes {MOST_ROWS} rows at most, and there are {count}"
        raise StopError("E_TOO_MANY", found, fix="use svm or ridge, or fewer labelled scans")
    gamma = kernel_width(features)
    kernel = gaussian_kernel(features, gamma) + strength * np.eye(count)
    slopes = np.linalg.solve(kernel, values)[None].astype(np.float32)
    return RbfSvm(features, slopes, np.zeros(1, np.float32), np.asarray(gamma, np.float32))
