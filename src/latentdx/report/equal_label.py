"""Does the model score groups of scans differently that have the same label?

Where the score of the sick of one site lies above that of the sick of another, and so with the
healthy, the model has learned something of the site. Scans are compared with those of the same
label only: van Elteren, Bulletin of the International Statistical Institute 37, 1960.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from latentdx.collection.table import CollectionTable
from latentdx.core.seeds import numpy_generator
from latentdx.features.shortcuts import LEVEL
from latentdx.metrics.bootstrap import over_patients
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.permutation import holm, permuted_p
from latentdx.metrics.ranks import PatientRanks
from latentdx.report.predictions import Predictions
from latentdx.report.subgroups import Group, groups_of

FAR = 0.1
"""How far from a half the AUROC must be before a difference is worth a warning."""

_PERMUTATIONS, _RESAMPLES = 999, 500

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strata:
    """One case a patient: `scores` (N,) and `labels` (N,), compared within each label."""

    scores: Floats
    labels: NDArray[np.int64]

    def deviates(self, groups: NDArray[np.bool_]) -> Floats:
        """Standard normal deviates (G,) of each group (G, N) against the others."""
        wins, variance = np.zeros(len(groups)), np.zeros(len(groups))
        for label in np.unique(self.labels):
            own = self.labels == label
            inside, ranks = groups[:, own], rankdata(self.scores[own])
            ours, others = inside.sum(axis=1), (~inside).sum(axis=1)
            wins += inside @ ranks - ours * (len(ranks) + 1) / 2
            variance += ours * others * float(np.var(ranks)) / max(1, len(ranks) - 1)
        return np.divide(wins, np.sqrt(variance), out=np.zeros(len(wins)), where=variance > 0)

    def p_value(self, groups: NDArray[np.bool_], generator: np.random.Generator) -> float:
        """The chance of so large a deviate where groups mean nothing at equal label."""
        places = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]

        def largest(order: NDArray[np.int64]) -> float:
            return float(np.abs(self.deviates(groups[:, order])).max())

        def draw(count: int) -> Floats:
            found = []
            for _ in range(count):
                order = np.arange(len(self.labels))
                for own in places:
                    order[own] = generator.permutation(own)
                found.append(largest(order))
            return np.array(found)

        return permuted_p(largest(np.arange(len(self.labels))), draw, _PERMUTATIONS)

    def area(self, group: NDArray[np.bool_], generator: np.random.Generator) -> Estimate:
        """The chance that a scan of the group scores above another of its label.

        It is the mean over labels, by how many pairs each has.
        """
        parts = []
        for label in np.unique(self.labels):
            own = np.flatnonzero(self.labels == label)
            pairs = int(group[own].sum()) * int((~group[own]).sum())
            if pairs:
                parts.append((pairs, PatientRanks.of(group[own], self.scores[own], own)))
        counts, total = (len(group), len(group)), sum(pairs for pairs, _ in parts)
        if not parts:
            return Estimate(None, None, None, *counts)

        def statistic(drawn: NDArray[Any]) -> Floats:
            areas = [pairs / total * ranks.areas(drawn) for pairs, ranks in parts]
            found: Floats = np.sum(areas, axis=0)[:, None]
            return found

        return over_patients(statistic, counts, generator=generator, n_resamples=_RESAMPLES)[0]


def scores_at_equal_label(
    predictions: Predictions, scan_ids: Sequence[str], table: CollectionTable, *, seed: int
) -> list[dict[str, Any]]:
    """For ``metrics.json``: each column of the test scans, and the group that is scored oddest.

    Groups are those of `groups_of`. The score is the probability of the positive class, of grades
    the mean grade, of more classes the probability of the scan's own label. One case a patient. A
    column is ``flagged`` where a permutation test within labels, corrected by Holm for all columns,
    is below .05 and the AUROC at equal label is .1 or more from a half.
    """
    _, rows = np.unique(predictions.patients, return_index=True)
    rows = np.sort(rows)
    strata = Strata(_scores(predictions)[rows], predictions.labels[rows])
    found = []
    by_column = groupby(groups_of(table, scan_ids), key=lambda group: group.column)
    for column, each in by_column:
        if len(groups := list(each)) > 1:
            found.append(_compared(strata, column, groups, rows, seed))
    corrected = holm([told["p_value"] for told in found]).tolist()
    for told, p_value in zip(found, corrected, strict=True):
        value = told["auroc"]["value"]
        far = value is not None and abs(value - 0.5) >= FAR
        told |= {"p_value": round(p_value, 6), "flagged": p_value < LEVEL and far}
    return found


def _compared(
    strata: Strata, column: str, groups: Sequence[Group], rows: NDArray[np.int64], seed: int
) -> dict[str, Any]:
    inside = np.stack([group.rows[rows] for group in groups])
    known = inside.any(axis=0)
    own = Strata(strata.scores[known], strata.labels[known])
    inside = inside[:, known]
    odd = int(np.abs(own.deviates(inside)).argmax())
    area = own.area(inside[odd], numpy_generator(seed, "bootstrap"))
    chance = own.p_value(inside, numpy_generator(seed, "equal label", column))
    return {
        "column": column,
        "value": groups[odd].value,
        "n_groups": len(groups),
        "auroc": area.as_json(),
        "p_value": chance,
    }


def _scores(predictions: Predictions) -> Floats:
    table = predictions.probabilities
    if predictions.ordered:
        found: Floats = table @ np.arange(table.shape[1])
        return found
    if table.shape[1] == 2:
        return table[:, 1]
    return table[np.arange(len(table)), predictions.labels]


def equal_label_warnings(told: Sequence[dict[str, Any]]) -> list[str]:
    """What to read with care: columns whose groups are scored apart."""
    return [
        f"at equal label the model scores scans of {each['column']!r} {each['value']!r} "
        f"{'higher' if each['auroc']['value'] > 0.5 else 'lower'} than the others (AUROC "
        f"{each['auroc']['value']:.3f} at equal label): it tells {each['column']!r} as well"
        for each in told
        if each["flagged"]
    ]
