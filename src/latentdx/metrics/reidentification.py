"""Re-identification: does an embedding find another scan of the same patient among all others?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.bootstrap import bootstrap, patient_groups
from latentdx.metrics.estimate import Estimate

_BLOCK = 512


@dataclass(frozen=True)
class Reidentified:
    """How often the most similar scan is of the same patient.

    Attributes
    ----------
    found: the share, over scans of patients of whom another scan is there; chance: by guessing.
    n_among: how many scans were searched.
    """

    found: Estimate
    chance: float
    n_among: int

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {"top1": self.found.as_json(), "chance": self.chance, "n_among": self.n_among}


def reidentify(
    vectors: NDArray[Any],
    patients: NDArray[np.str_],
    occasions: Sequence[str],
    *,
    generator: np.random.Generator,
) -> Reidentified | None:
    """Search each scan's nearest other by cosine, of vectors (N, D).

    Scans of one occasion (a study, say) are not searched for each other: slices of one volume are
    alike without any patient. `occasions` (N,), ``""`` where not known: then the scan is one by
    itself. None where fewer than two patients have scans of two occasions.

    Examples
    --------
    >>> vectors, names = np.eye(4)[[0, 0, 1, 1, 2]], np.array(["a", "a", "b", "b", "c"])
    >>> found = reidentify(vectors, names, [""] * 5, generator=np.random.default_rng(0))
    >>> found.found.value, round(found.chance, 3)
    (1.0, 0.25)
    """
    groups = patient_groups(patients)
    named = [name or f"\0{row}" for row, name in enumerate(occasions)]
    events = patient_groups(named)
    hits, chances = np.full(len(groups), np.nan), np.full(len(groups), np.nan)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    for start in range(0, len(unit), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(unit)))
        alike = unit[rows] @ unit.T
        may = events[rows][:, None] != events
        same = (groups[rows][:, None] == groups) & may
        nearest = np.where(may, alike, -np.inf).argmax(axis=1)
        asked = same.any(axis=1)
        hits[rows[asked]] = groups[nearest[asked]] == groups[rows[asked]]
        chances[rows[asked]] = same[asked].sum(axis=1) / may[asked].sum(axis=1)
    own = np.flatnonzero(~np.isnan(hits))
    if len(np.unique(groups[own])) < 2:
        return None
    values = hits[own]

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        rates: NDArray[np.float64] = (weights @ values / weights.sum(axis=1))[:, None]
        return rates

    [found] = bootstrap(statistic, patients[own], generator=generator)
    return Reidentified(found, float(chances[own].mean()), len(unit))
