"""Are classes as common among new scans as among those that a model was made from?

Shares are estimated without labels by BBSE and by EM; probabilities may go by them only where
nothing shows that more than the shares has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from latentdx.diagnosis.drift_reference import Reference
from latentdx.metrics.label_shift import bbse, likeliest_shares, with_shares
from latentdx.metrics.two_samples import gaussian_kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST = 20
FEWEST_OF_A_CLASS = 5
LEVEL = 0.05
SUSPECT = 0.2
"""P-value of the scores below which something else than shares is held to have changed: a
correction that is wrongly left out costs less than one that is wrongly made."""
RESAMPLES = 1000
_UNSURE = 1e-3


@dataclass(frozen=True)
class Said:
    """What a model says of N scans, one of each patient: `probabilities` (N, K), `decisions`."""

    probabilities: Floats
    decisions: Ints

    def __len__(self) -> int:
        return len(self.decisions)

    def scores(self) -> Floats:
        """Log-odds (N, Q)."""
        clipped = np.clip(self.probabilities, 1e-4, 1 - 1e-4)
        odds: Floats = np.log(clipped / (1 - clipped))
        return odds[:, 1:] if odds.shape[1] == 2 else odds


@dataclass(frozen=True)
class Held(Said):
    """The same of held-out scans, of which the `labels` (N,) are known."""

    labels: Ints

    @classmethod
    def of(cls, reference: Reference, threshold: float | None) -> Self | None:
        """What a bundle keeps; None where it is of several classes and keeps no labels.

        Of two classes the labels follow from which decisions are right. `threshold`: of these.
        """
        table = expit(reference.scores)
        right = reference.right[:, 0]
        if table.shape[1] == 1:
            table = np.column_stack([1 - table, table])
            decisions = _decided(table[:, 1], reference.sure[:, 0], threshold)
            labels = np.where(right, decisions, 1 - decisions)
            return cls(table, decisions, labels if reference.labels is None else reference.labels)
        if reference.labels is None:
            return None
        table = table / table.sum(axis=1, keepdims=True)
        nearest = np.abs(table - reference.sure).argmin(axis=1)
        return cls(table, np.where(right, reference.labels, nearest), reference.labels)


def _decided(second: Floats, sure: Floats, threshold: float | None) -> Ints:
    """Which of two was decided, by its probability `sure`; where both are .5, by the threshold."""
    near = np.abs(second - 0.5) < _UNSURE
    by_sure = np.abs(sure - second) < np.abs(sure - (1 - second))
    return np.where(near, second >= (threshold or 0.5), by_sure).astype(np.int64)


@dataclass(frozen=True)
class LabelShift:
    """Estimated shares of K classes, each with resamples, and what was checked.

    Attributes
    ----------
    source: (K,) among the held-out patients; bbse, em: (K,) among the new ones, by either way.
    resampled: (B, 3, K) of the three, over resamples of both sides' patients.
    p: of the scores, given the shares by EM: that they are a mixture of those of held-out patients.
    """

    source: Floats
    bbse: Floats
    em: Floats
    resampled: Floats
    p: float

    def ends(self, way: int, level: float = LEVEL) -> Floats:
        """(2, K): the interval of `source`, `bbse` or `em`, by its number."""
        found: Floats = np.nanquantile(self.resampled[:, way], (level / 2, 1 - level / 2), axis=0)
        return found

    def corrected(self, probabilities: Floats) -> Floats:
        """Probabilities (N, K) by the shares by EM."""
        return with_shares(probabilities, self.source, self.em)

    @property
    def agree(self) -> bool:
        """Whether the two ways differ by no more than chance."""
        return not self._differ(2, 1)

    @property
    def shown(self) -> bool:
        """Whether the shares differ from the held-out patients' by more than chance."""
        return self._differ(2, 0)

    @property
    def reason(self) -> str | None:
        """Why probabilities are not to go by the shares; None where they may."""
        if not np.isfinite(self.bbse).all():
            return "unknown: decisions hardly tell the classes apart"
        if not self.agree:
            return "disagree: the two estimates differ by more than chance"
        if self.p < SUSPECT:
            return "scores: more than the shares has changed"
        return None if self.shown else "none: no shift of the shares is shown"

    def _differ(self, first: int, second: int) -> bool:
        gaps = self.resampled[:, first] - self.resampled[:, second]
        tail = LEVEL / 2 / max(1, gaps.shape[1] - 1)
        low, high = np.nanquantile(gaps, (tail, 1 - tail), axis=0)
        return bool(((low > 0) | (high < 0)).any())


def estimate_shift(
    held: Held, new: Said, generator: np.random.Generator, n_resamples: int = RESAMPLES
) -> LabelShift:
    """Shares by both ways, resampling patients of both sides, and the test of the scores.

    The scores of the new patients are compared by the maximum mean discrepancy with those of the
    held-out ones, weighted to the shares by EM; what chance makes of it is told by resamples, in
    which shares are estimated anew. There must be `FEWEST_OF_A_CLASS` held-out patients of each.
    """
    own, others = (_drawn(len(side), n_resamples, generator) for side in (held, new))
    classes = np.eye(held.probabilities.shape[1])[held.labels]
    known = (own @ classes > 0).all(axis=1)
    own, others = own[known], others[known]
    shares = _shares(held, new, own, others)
    contrasts = _contrasts(classes, own, others, shares)
    kernel = gaussian_kernel(np.concatenate([held.scores(), new.scores()]))
    away = contrasts[1:] - contrasts[0]
    sizes = ((away @ kernel) * away).sum(axis=1)
    found = float(contrasts[0] @ kernel @ contrasts[0])
    p = (1 + int((sizes >= found).sum())) / (1 + len(sizes))
    source, by_decisions, by_scores = shares[0]
    return LabelShift(source, by_decisions, by_scores, shares[1:], p)


def _drawn(n_patients: int, n_resamples: int, generator: np.random.Generator) -> Floats:
    """How often each patient is drawn: once each, then by resamples, (1 + B, N)."""
    chances = np.full(n_patients, 1 / n_patients)
    drawn = generator.multinomial(n_patients, chances, size=n_resamples)
    return np.concatenate([np.ones((1, n_patients)), drawn.astype(np.float64)])


def _shares(held: Held, new: Said, own: Floats, others: Floats) -> Floats:
    """(1 + B, 3, K): of the held-out patients, by BBSE, by EM."""
    classes = np.eye(held.probabilities.shape[1])
    source = own @ classes[held.labels] / len(held)
    told = others @ classes[new.decisions] / len(new)
    by_decisions = bbse(held.labels, held.decisions, own, told)
    by_scores = likeliest_shares(new.probabilities, others, source)
    return np.stack([source, by_decisions, by_scores], axis=1)


def _contrasts(classes: Floats, own: Floats, others: Floats, shares: Floats) -> Floats:
    """(1 + B, R + N): weights of held-out patients, to the shares by EM, minus the new ones'."""
    by_class = shares[:, 2] / (own @ classes)
    return np.concatenate([own * (by_class @ classes.T), -others / others.shape[1]], axis=1)
