"""The strategies by which `rank` suggests scans, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.suggest_groups import groups_of, typicality
from latentdx.diagnosis.suggest_pool import Chosen, Pool, squared

Table = NDArray[np.float64]
PickName = Literal["typical", "coverage", "uncertainty", "diversity", "random"]

_SMALLEST_GROUP = 5
_SHORTLIST = 2  # uncertain scans for each that is wanted
_ABOVE = "; unlike those above"


@dataclass(frozen=True)
class Asked:
    """What a strategy decides by: scans, the classifier's (N, K) where there is one, the seed."""

    pool: Pool
    probabilities: Table | None
    seed: int


def pick_random(asked: Asked, chosen: Chosen) -> None:
    """By lot: what the others are measured against, and how test scans must be drawn."""
    order = numpy_generator(asked.seed, "suggest").permutation(len(asked.pool.labels))
    _in_order(chosen, order, lambda row: (0.0, "drawn by lot"))


def pick_uncertain(asked: Asked, chosen: Chosen) -> None:
    """The smallest margin between the two likeliest classes first."""
    table = _table(asked)
    margin = margins(table)

    def told(row: int) -> tuple[float, str]:
        return 1 - margin[row], _hesitation(asked.pool, table[row])

    _in_order(chosen, np.argsort(margin, kind="stable"), told)


def pick_coverage(asked: Asked, chosen: Chosen) -> None:
    """The furthest from all that is labelled or chosen; the most average scan where none is."""
    pool = asked.pool
    distance = pool.to_labelled()
    while not chosen.is_done:
        if np.isinf(distance).all():
            middle = squared(pool.features, pool.features.mean(axis=0))
            row = int(np.where(chosen.left, -middle, -np.inf).argmax())
            chosen.add(row, 0.0, "the most average scan")
        else:
            row = int(np.where(chosen.left, distance, -1).argmax())
            why = "least like all that is labelled or ranked above"
            chosen.add(row, float(np.sqrt(distance[row])), why)
        distance = np.minimum(distance, pool.squared_to(row))


def pick_diverse(asked: Asked, chosen: Chosen) -> None:
    """Twice as many uncertain scans as wanted, in groups that look alike; the worst of each.

    Citovsky et al., "Batch active learning at scale", NeurIPS 2021.
    """
    pool, table = asked.pool, _table(asked)
    margin = margins(table)
    while not chosen.is_done:
        short = _uncertain(pool, chosen, margin)
        groups = groups_of(pool.features[short], chosen.n_wanted, asked.seed)
        firsts = np.sort(np.unique(groups, return_index=True)[1])
        for row in short[firsts].tolist():
            if chosen.left[row] and not chosen.is_done:
                why = _hesitation(pool, table[row]) + (_ABOVE if chosen.suggestions else "")
                chosen.add(row, 1 - margin[row], why)


def _uncertain(pool: Pool, chosen: Chosen, margin: Table) -> NDArray[np.int64]:
    """Rows that are left, the most uncertain first: of each patient one, where that is asked."""
    rows = np.argsort(margin, kind="stable")
    rows = rows[chosen.left[rows]]
    if chosen.by_patient:
        rows = rows[np.sort(np.unique(pool.patients[rows], return_index=True)[1])]
    return rows[: _SHORTLIST * chosen.n_wanted]


def pick_typical(asked: Asked, chosen: Chosen) -> None:
    """The most typical scan of the largest group that has the fewest labels, again and again.

    As many groups as there are labels, given and asked for; groups of fewer than 5 scans last.
    """
    pool = asked.pool
    groups = groups_of(pool.features, len(pool.labelled) + chosen.n_wanted, asked.seed)
    sizes = np.bincount(groups)
    labelled = np.bincount(groups[pool.labelled], minlength=len(sizes))
    typical, taken = typicality(pool.features, groups), labelled.copy()
    while not chosen.is_done:
        is_full = np.bincount(groups[chosen.left], minlength=len(sizes)) == 0
        group = int(np.lexsort((-sizes, taken, sizes < _SMALLEST_GROUP, is_full))[0])
        row = int(np.where(chosen.left & (groups == group), typical, -1).argmax())
        of = f"typical of a group of {sizes[group]} scans" if sizes[group] > 1 else "like no other"
        chosen.add(row, typical[row], f"{of}, {labelled[group] or 'none'} labelled")
        taken[group] += 1


PICKS: dict[PickName, Callable[[Asked, Chosen], None]] = {
    "typical": pick_typical,
    "coverage": pick_coverage,
    "uncertainty": pick_uncertain,
    "diversity": pick_diverse,
    "random": pick_random,
}


def margins(probabilities: Table) -> Table:
    """(N,) the likeliest class' probability minus the next one's, of (N, K).

    Examples
    --------
    >>> margins(np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])).tolist()
    [0.25, 1.0]
    """
    ordered = np.sort(probabilities, axis=1)
    found: Table = ordered[:, -1] - ordered[:, -2]
    return found


def _in_order(
    chosen: Chosen, order: NDArray[np.int64], told: Callable[[int], tuple[float, str]]
) -> None:
    for row in order.tolist():
        if chosen.is_done:
            return
        if chosen.left[row]:
            chosen.add(row, *told(row))


def _table(asked: Asked) -> Table:
    assert asked.probabilities is not None, "two classes need a label first"
    return asked.probabilities


def _hesitation(pool: Pool, probabilities: Table) -> str:
    first, second = np.argsort(-probabilities, kind="stable")[:2].tolist()
    names = f"{pool.classes[first]} and {pool.classes[second]}"
    shares = f"{probabilities[first]:.0%} to {probabilities[second]:.0%}"
    return f"the model hesitates between {names}: {shares}"
