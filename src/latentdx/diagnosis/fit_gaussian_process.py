"""Fitting a Gaussian process: for few scans, whose uncertainty it knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from latentdx.core.errors import StopError
from latentdx.diagnosis.fit_svm import gaussian_kernel
from latentdx.diagnosis.machines_kernel import GaussianProcess
from latentdx.diagnosis.task import Task, kernel_width

MOST_ROWS = 1000
"""Rows that it takes at most: its memory grows with their square, its time with their cube."""

_STEPS = 100
_TOLERANCE = 1e-10

Table = NDArray[np.float64]


def fit_gaussian_process(task: Task, strength: float) -> GaussianProcess:
    """By Laplace's approximation; `strength` is the latent function's variance.

    Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 3.1, with a
    weight for each row's likelihood so that the classes weigh the same. Raises `StopError`
    ``E_TOO_MANY`` above 1000 rows.
    """
    if (count := len(task.labels)) > MOST_ROWS:
        raise StopError(
            "E_TOO_MANY",
            f"a Gaussian process takes {MOST_ROWS} rows at most, and there are {count}",
            fix="use another classifier, such as svm, or fewer labelled scans",
        )
    gamma = kernel_width(task.features)
    kernel = strength * gaussian_kernel(task.features, gamma)
    fitted = [_posterior(kernel, target) for target in task.questions()]
    return GaussianProcess(
        task.features,
        np.stack([gradient for gradient, _ in fitted]).astype(np.float32),
        np.stack([spread for _, spread in fitted]).astype(np.float32),
        np.asarray(strength, np.float32),
        np.asarray(gamma, np.float32),
    )


def _posterior(kernel: Table, target: NDArray[np.int64]) -> tuple[Table, Table]:
    """Gradient of the log-likelihood at the mode, (N,), and the matrix of the variance, (N, N)."""
    from scipy.linalg import cholesky, solve_triangular

    weight = np.where(target == 1, 0.5 / target.mean(), 0.5 / (1 - target.mean()))
    latent, before = np.zeros(len(target)), -np.inf
    for _ in range(_STEPS):
        chance = expit(latent)
        gradient = weight * (target - chance)
        root = np.sqrt(weight * chance * (1 - chance))
        lower = cholesky(np.eye(len(target)) + root[:, None] * kernel * root, lower=True)
        wanted = root**2 * latent + gradient
        inner = solve_triangular(lower, root * (kernel @ wanted), lower=True)
        slopes = wanted - root * solve_triangular(lower.T, inner, lower=False)
        latent = kernel @ slopes
        signs = np.where(target == 1, 1.0, -1.0)
        value = -0.5 * slopes @ latent - (weight * np.logaddexp(0, -signs * latent)).sum()
        if value - before < _TOLERANCE:
            break
        before = value
    chance = expit(latent)
    root = np.sqrt(weight * chance * (1 - chance))
    lower = cholesky(np.eye(len(target)) + root[:, None] * kernel * root, lower=True)
    spread = solve_triangular(lower, np.diag(root), lower=True)
    return weight * (target - chance), spread
