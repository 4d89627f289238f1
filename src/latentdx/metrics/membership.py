"""Membership inference: can be told whom a model learned from? Scores of attacks, and how good.

The attacker has a scan and the model, and asks: was it learned from? What counts is how many are
told at a rate of false accusations near none (Carlini et al., "Membership inference attacks from
first principles", IEEE S&P 2022): an attack that is right about a few, and sure, does harm where a
mean over all shows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.bootstrap import Patients, over_patients, patient_groups
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.estimate import Estimate

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RATES = (0.01, 0.001)
"""Shares of others who are falsely said to be members."""

_RESAMPLES, _FEW_RESAMPLES = 1000, 200
_MANY = 5000  # answers, of which each resample takes some milliseconds
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class Attack:
    """How good an attack is.

    Attributes
    ----------
    auroc: 0.5 is guessing.
    told: by the rate of false accusations, the share of members told; as high as the rate is
        guessing. None where there are too few others for the rate to be measured.
    n_members, n_others: how many answers the attack was judged by.
    """

    auroc: Estimate
    told: dict[float, Estimate | None]
    n_members: int
    n_others: int

    def as_json(self) -> dict[str, Any]:
        """Plain numbers; rates as text."""
        told = {
            str(rate): None if found is None else found.as_json()
            for rate, found in self.told.items()
        }
        counts = {"n_members": self.n_members, "n_others": self.n_others}
        return {"auroc": self.auroc.as_json(), "true_positive_rate_at": told, **counts}


def lira(confidences: Floats, members: Mask) -> Floats:
    """Log-likelihood ratios (M, N): each of M models is attacked with the help of the others.

    confidences: (M, N), how sure each model is of the right label of each scan, on a scale on
    which it is about normal (a margin, log-odds). members: (M, N), whom each model learned from.
    Of every scan the confidences of models that learned from it, and of those that did not, are
    taken as normal, with means of its own and, few models telling no spread, one spread for all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> members = rng.permuted(np.tile([True, False], (40, 4)).T, axis=0).T[:, :6]
    >>> found = lira(rng.normal(size=members.shape) + 5 * members, members)
    >>> bool(found[members].min() > found[~members].max())
    True
    """
    weight = {True: members.astype(float), False: (~members).astype(float)}
    found = np.zeros_like(confidences)
    for is_in, sign in ((True, 1.0), (False, -1.0)):
        own = weight[is_in]
        count, total = own.sum(axis=0), (own * confidences).sum(axis=0)
        left = np.maximum(count - own, 1)  # the model attacked tells nothing of itself
        mean = (total - own * confidences) / left
        overall = total / np.maximum(count, 1)
        squared = (own * (confidences - overall) ** 2).sum()
        spread = max(squared / max(own.sum() - len(overall), 1), _LEAST_SPREAD)
        found += sign * (-0.5 * (confidences - mean) ** 2 / spread - 0.5 * np.log(spread))
    return found


def judge_attack(
    scores: Floats, members: Mask, patients: Patients, *, generator: np.random.Generator
) -> Attack:
    """How well scores (M, N), higher for members, tell them; intervals over patients.

    Raises `StopError` ``E_PATIENT`` where a scan has no patient.
    """
    groups = patient_groups(patients)
    n_patients = int(groups.max(initial=-1)) + 1
    each = np.broadcast_to(groups, scores.shape).ravel()
    flat, truth = scores.ravel(), members.ravel()
    n_others = int((~truth).sum())

    def statistic(drawn: NDArray[Any]) -> Floats:
        weights = drawn.T[each].T
        area = np.asarray(auroc(truth.astype(np.int64), flat, weights=weights))
        return np.column_stack([area, *told_at(flat, truth, weights)])

    found = over_patients(
        statistic,
        (scores.shape[1], n_patients),
        generator=generator,
        n_resamples=_RESAMPLES if len(flat) < _MANY else _FEW_RESAMPLES,
    )
    told = {
        rate: estimate if rate * n_others >= 1 else None
        for rate, estimate in zip(RATES, found[1:], strict=True)
    }
    return Attack(found[0], told, int(truth.sum()), n_others)


def told_at(scores: Floats, members: Mask, weights: NDArray[Any]) -> list[Floats]:
    """Of each of `RATES` the share of members told, (B,), at weights (B, N) of scores (N,).

    Examples
    --------
    >>> scores, members = np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, True, False, True])
    >>> [found.round(3).tolist() for found in told_at(scores, members, np.ones((1, 4)))]
    [[0.667], [0.667]]
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    drawn = weights[:, order]
    hits, alarms = (
        np.cumsum(drawn * chosen[order], axis=1, dtype=np.float64) for chosen in (members, ~members)
    )
    found = []
    for rate in RATES:
        allowed = (alarms[:, ends] <= rate * alarms[:, -1:]).sum(axis=1)
        reached = hits[np.arange(len(hits)), ends[np.maximum(allowed - 1, 0)]]
        with np.errstate(invalid="ignore"):
            found.append(np.where(allowed > 0, reached, 0.0) / hits[:, -1])
    return found
