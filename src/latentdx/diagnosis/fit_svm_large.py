"""Fitting the SVM on many rows: landmarks, exactly on a subsample, then a few passes over all.

    f(x) = sum_m a_m exp(-gamma |x - v_m|^2) + b,     v_1..v_M: landmarks, drawn from the rows
    loss = 1/2 a'Ka + C sum_i w_i max(0, 1 - y_i f(x_i))^2

The landmarks are a Nystroem approximation of the kernel (Williams & Seeger, NIPS 2000), the loss
is the SVM's in the primal with its hinge squared (Chapelle, Neural Computation 19, 2007). It is
minimised exactly on a subsample of the rows; the curvature found there is the first guess in
quasi-Newton steps (see `quasi_newton`) on all rows, which are read block by block, once a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.machine import Floats, Ints
from latentdx.diagnosis.machines_kernel import RbfSvm, kernel_rows
from latentdx.diagnosis.quasi_newton import minimised
from latentdx.diagnosis.task import Task, kernel_width

N_LANDMARKS = 2000
N_SUBSAMPLE = 20_000
_BLOCK = 1024
_PASSES = 8
_NEWTON_STEPS = 20
_ENOUGH = 1e-3  # relative gain of a step that ends the search
_RIDGE = 1e-4

Table = NDArray[np.float64]


@dataclass(frozen=True)
class _Problem:
    """The loss of a task's rows. `costs` (K, Q): C w of a row of class k in question q.

    `penalty` (M + 1, M + 1): K with a small ridge, and nothing for b.
    """

    task: Task
    landmarks: Floats
    gamma: float
    costs: Table
    penalty: Table

    def signs(self) -> NDArray[np.float32]:
        """(K, Q): 1 where the class is the question's."""
        n_questions = self.costs.shape[1]
        asked = np.array([1]) if n_questions == 1 else np.arange(n_questions)
        return np.where(np.arange(len(self.costs))[:, None] == asked, 1, -1).astype(np.float32)

    def blocks(self) -> Iterator[tuple[Floats, Ints]]:
        """Kernel (B, M) and labels (B,).

        The exponents, 2 g x.v - g |x|^2 - g |v|^2, are one matrix product, of (2 g x, -g |x|^2, 1)
        and (v, 1, -g |v|^2), and are turned into the kernel while they are in the cache.
        """
        width, gamma = self.landmarks.shape[1], np.float32(self.gamma)
        facing = np.ones((len(self.landmarks), width + 2), np.float32)
        facing[:, :width] = self.landmarks
        facing[:, -1] = -gamma * (self.landmarks**2).sum(axis=1)
        for start in range(0, len(self.task.labels), _BLOCK):
            features = np.asarray(self.task.features[start : start + _BLOCK])
            own = np.ones((len(features), width + 2), np.float32)
            np.multiply(features, 2 * gamma, out=own[:, :width])
            own[:, -2] = -gamma * (features**2).sum(axis=1)
            kernel = own @ facing.T
            np.minimum(kernel, 0, out=kernel)
            yield np.exp(kernel, out=kernel), self.task.labels[start : start + _BLOCK]

    def loss(self, places: Table) -> tuple[Table, Table]:
        """Loss (Q,) and its gradient (M + 1, Q) at places (M + 1, Q): one pass over the rows."""
        gradient = self.penalty @ places
        loss = 0.5 * (places * gradient).sum(axis=0)
        signs, narrow = self.signs(), places.astype(np.float32)
        for kernel, labels in self.blocks():
            sign, costs = signs[labels], self.costs[labels]
            slack = np.maximum(1 - sign * (kernel @ narrow[:-1] + narrow[-1]), 0)
            loss += (costs * slack**2).sum(axis=0)
            change = 2 * costs * sign * slack
            gradient[:-1] -= kernel.T @ change.astype(np.float32)
            gradient[-1] -= change.sum(axis=0)
        return loss, gradient


def fit_large_svm(
    task: Task,
    strength: float,
    *,
    n_landmarks: int = N_LANDMARKS,
    n_subsample: int = N_SUBSAMPLE,
) -> RbfSvm:
    """The kernel and the C of the exact SVM; time grows with the rows, memory does not.

    `task.features` (N, D) may be a memory map: it is read by blocks. In memory are at most
    `n_subsample` rows of the kernel to `n_landmarks`.
    """
    gamma = kernel_width(task.features)
    landmarks = np.asarray(task.features[_even_rows(task, n_landmarks, "landmarks")])
    kernel = kernel_rows(landmarks, landmarks, gamma).astype(np.float64)
    penalty = np.zeros((len(kernel) + 1, len(kernel) + 1))
    penalty[:-1, :-1] = kernel + _RIDGE * np.eye(len(kernel))
    whole = _Problem(task, landmarks, gamma, _costs(task, strength), penalty)
    drawn = _even_rows(task, n_subsample, "subsample")
    part = task.take(drawn)
    shares = np.bincount(part.labels) / np.bincount(task.labels)
    starts, curvatures = _exact(
        replace(whole, task=part, costs=whole.costs / shares[:, None]),
    )
    places = (
        minimised(whole.loss, starts, curvatures, passes=_PASSES, enough=_ENOUGH)
        if len(drawn) < len(task.labels)
        else starts
    )
    return RbfSvm(
        landmarks,
        places[:-1].T.astype(np.float32, order="C"),
        places[-1].astype(np.float32),
        np.asarray(gamma, np.float32),
    )


def _costs(task: Task, strength: float) -> Table:
    """(K, Q): C times the weight by which both sides of a question come to the same."""
    counts = np.bincount(task.labels).astype(np.float64)
    total = counts.sum()
    if task.n_classes == 2:
        both: Table = strength * 0.5 * (total / counts)[:, None]
        return both
    mine = np.eye(task.n_classes, dtype=bool)
    found: Table = strength * 0.5 * np.where(mine, total / counts, total / (total - counts))
    return found


def _even_rows(task: Task, count: int, name: str) -> Ints:
    """Rows in order, of each class as many, or all that it has."""
    generator, chosen, left = numpy_generator(0, name), [], count
    classes = np.argsort(np.bincount(task.labels), kind="stable")
    for place, label in enumerate(classes):
        rows = np.flatnonzero(task.labels == label)
        quota = min(len(rows), left // (len(classes) - place))
        chosen.append(generator.permutation(rows)[:quota])
        left -= quota
    return np.sort(np.concatenate(chosen))


def _exact(problem: _Problem) -> tuple[Table, list[Any]]:
    """Places (M + 1, Q) of the least loss, by Newton's method, and the curvatures, factored."""
    kernel = np.ones((len(problem.task.labels), len(problem.penalty)), np.float32)
    start = 0
    for held, _ in problem.blocks():
        kernel[start : start + len(held), :-1] = held
        start += len(held)
    signs, costs = problem.signs()[problem.task.labels], problem.costs[problem.task.labels]
    found = [
        _newton(kernel, sign.astype(np.float64), cost, problem.penalty)
        for sign, cost in zip(signs.T, costs.T, strict=True)
    ]
    return np.stack([place for place, _ in found], axis=1), [factor for _, factor in found]


def _newton(kernel: Floats, sign: Table, cost: Table, penalty: Table) -> tuple[Table, Any]:
    """One question's place (M + 1,) and factored curvature, from a kernel (N, M + 1)."""
    from scipy.linalg import cho_solve

    place, scores = np.zeros(kernel.shape[1]), np.zeros(len(kernel))
    loss, factor = np.inf, None
    for _ in range(_NEWTON_STEPS):
        slack = np.maximum(1 - sign * scores, 0)
        gradient = penalty @ place - kernel.T @ (2 * cost * sign * slack).astype(np.float32)
        active = kernel[slack > 0] * np.sqrt(2 * cost[slack > 0]).astype(np.float32)[:, None]
        curvature = penalty + active.T @ active
        factor = _factored(curvature)
        step = -cho_solve(factor, gradient)
        along = (kernel @ step.astype(np.float32)).astype(np.float64)
        size, before = 1.0, loss
        for _ in range(20):
            loss = _loss(place + size * step, scores + size * along, sign, cost, penalty)
            if loss <= before:
                break
            size /= 2
        place, scores = place + size * step, scores + size * along
        if before - loss <= 1e-6 * abs(loss):
            break
    return place, factor


def _factored(curvature: Table) -> Any:
    """Its Cholesky factor; what rounding made negative is lifted first."""
    from scipy.linalg import LinAlgError, cho_factor

    lift = 1e-7 * curvature.trace() / len(curvature)
    for _ in range(8):
        try:
            return cho_factor(curvature + lift * np.eye(len(curvature)))
        except LinAlgError:
            lift *= 10
    raise ValueError("the features are not finite")


def _loss(place: Table, scores: Table, sign: Table, cost: Table, penalty: Table) -> float:
    slack = np.maximum(1 - sign * scores, 0)
    return float(0.5 * place @ penalty @ place + (cost * slack**2).sum())
