"""The AUROC on thousands of resamples of very many scans: scores are put in order once.

A resample says how often each patient was drawn. With the scans in order of their scores, the pairs
that are ranked rightly follow from one running sum over the negative scans: O(N) for a resample,
and no table of weights (B, N). Values are those of `auroc`, to the last bit but rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentdx.metrics.bootstrap import N_RESAMPLES, Patients, over_patients, patient_groups
from latentdx.metrics.discrimination import questions
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.metric import Floats, Ints, check_labels, length_error, ratio


@dataclass(frozen=True)
class PatientRanks:
    """One question's scans in ascending order of their scores, as the numbers of their patients.

    Attributes
    ----------
    ours, others: int (n,), (m,), of the positive and of the negative scans.
    lower, upper: int (n,), how many negative scans score below each positive one, and not above.
    """

    ours: Ints
    others: Ints
    lower: Ints
    upper: Ints

    @classmethod
    def of(cls, positive: NDArray[np.bool_], scores: Floats, groups: Ints) -> PatientRanks:
        """Of scans (N,): whether each is positive, its score, and the number of its patient."""
        order = np.argsort(scores, kind="stable")
        ours, others = order[positive[order]], order[~positive[order]]
        below = scores[others]
        lower, upper = (np.searchsorted(below, scores[ours], side) for side in ("left", "right"))
        return cls(groups[ours], groups[others], lower, upper)

    def areas(self, drawn: NDArray[Any]) -> Floats:
        """The AUROC (B,) where each patient was drawn so often, (B, P); NaN without both kinds."""
        below = np.zeros(len(self.others) + 1, dtype=np.int64)
        tied = not np.array_equal(self.lower, self.upper)
        wins, pairs = np.empty((2, len(drawn)))
        # Row by row: what is summed stays in the processor's cache. Whole numbers: they cumulate
        # ten times as fast as floats.
        for row, counts in enumerate(np.asarray(drawn, np.int64)):
            np.cumsum(counts.take(self.others), out=below[1:])
            weights = counts.take(self.ours).astype(np.float64)
            wins[row] = weights @ below.take(self.lower).astype(np.float64)
            if tied:
                upper = weights @ below.take(self.upper).astype(np.float64)
                wins[row] = (wins[row] + upper) / 2
            pairs[row] = weights.sum() * below[-1]
        return ratio(wins, pairs)


def auroc_estimate(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """What `estimate` gives of `auroc`, sooner: 10,000 resamples of 100,000 scans in seconds.

    Arguments are those of `auroc`; `patients` (N,). Raises `StopError`: E_LABELS, E_LENGTHS,
    E_SCORES, E_PATIENT.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> auroc_estimate([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8], "abcd", generator=generator).value
    0.875
    """
    groups = patient_groups(patients)
    ranks = _ranked(labels, scores, groups)

    def statistic(drawn: NDArray[Any]) -> Floats:
        return _mean_area(ranks, drawn)[:, None]

    counts = (len(groups), int(groups.max(initial=-1)) + 1)
    return over_patients(statistic, counts, generator=generator, n_resamples=n_resamples)[0]


def auroc_difference(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    patients: Patients,
    *,
    generator: np.random.Generator,
) -> Estimate:
    """The AUROC of the first scores less that of the second, on the same scans and resamples.

    It is what `paired_difference` gives of `auroc`, sooner.

    Examples
    --------
    >>> auroc_difference(
    ...     [0, 0, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1], "abcd", generator=np.random.default_rng(0)
    ... ).value
    1.0
    """
    groups = patient_groups(patients)
    both = [_ranked(labels, scores, groups) for scores in (first, second)]

    def statistic(drawn: NDArray[Any]) -> Floats:
        found: Floats = (_mean_area(both[0], drawn) - _mean_area(both[1], drawn))[:, None]
        return found

    counts = (len(groups), int(groups.max(initial=-1)) + 1)
    return over_patients(statistic, counts, generator=generator)[0]


def _ranked(labels: ArrayLike, scores: ArrayLike, groups: Ints) -> list[PatientRanks]:
    truth, given = check_labels(labels), np.asarray(scores, np.float64)
    if given.shape[:1] != truth.shape or truth.shape != groups.shape:
        expected = f"({len(truth)},) or ({len(truth)}, K), of {len(truth)} scans with patients"
        raise length_error("scores", given.shape, expected)
    return [PatientRanks.of(*asked, groups) for asked in questions(truth, given)]


def _mean_area(ranks: list[PatientRanks], drawn: NDArray[Any]) -> Floats:
    mean: Floats = np.stack([each.areas(drawn) for each in ranks]).mean(axis=0)
    return mean
