"""`SetRule`: how the classes of a prediction set are chosen, and for whom its coverage holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_bytes
from latentdx.diagnosis.conformal import (
    COVERAGE,
    Floats,
    class_cutoffs,
    conformal_cutoff,
    prediction_sets,
)

SetsKind = Literal["marginal", "class-conditional", "mondrian"]
Ints = NDArray[np.int64]

FEWEST = 20
"""Scans that a group needs for a cutoff of its own."""

_MONDRIAN = "mondrian:"


@dataclass(frozen=True)
class SetRule:
    """Cutoffs on the probability, for all scans, by class or by group.

    Attributes
    ----------
    kind: ``marginal`` (coverage over all scans), ``class-conditional`` (within each class) or
        ``mondrian`` (within each group of scans).
    cutoffs: one, or one a class; of ``mondrian`` the marginal one.
    coverage: the share of sets that are to hold the reference label.
    column: of the groups, ``""`` without.
    groups: cutoffs of groups by `group_key`: their names stay where they are.
    n_small: groups of too few scans, which use the marginal cutoff: coverage within them is not
        promised.
    """

    kind: SetsKind
    cutoffs: tuple[float, ...]
    coverage: float = COVERAGE
    column: str = ""
    groups: Mapping[str, float] = field(default_factory=dict)
    n_small: int = 0

    def inside(
        self, probabilities: Floats, decided: Ints, groups: Sequence[str] | None = None
    ) -> NDArray[np.bool_]:
        """Sets (N, K) of probabilities (N, K) and decisions (N,); the decided class is always in.

        `groups` (N,) are values of `column`. Scans whose group is not known, or was not seen,
        get the largest sets of any group.
        """
        if self.kind != "mondrian":
            return prediction_sets(probabilities, np.array(self.cutoffs), decided)
        names = [""] * len(probabilities) if groups is None else groups
        careful = min(self.cutoffs + tuple(self.groups.values()))
        rows = [self.groups.get(group_key(name), careful) if name else careful for name in names]
        return prediction_sets(probabilities, np.array(rows).reshape(-1, 1), decided)


def group_key(name: str) -> str:
    """Sixteen hex digits that stand for a group's name: no site or covariate is in a bundle.

    Examples
    --------
    >>> len(group_key("north"))
    16
    """
    return hash_bytes(name.encode())[:16]


def parse_sets(text: str) -> tuple[SetsKind, str]:
    """The kind of sets and, of ``mondrian:COLUMN``, the column. Raises `StopError` ``E_OPTION``.

    Examples
    --------
    >>> parse_sets("mondrian:site")
    ('mondrian', 'site')
    """
    if text == "marginal":
        return "marginal", ""
    if text == "class-conditional":
        return "class-conditional", ""
    if text.startswith(_MONDRIAN) and text.removeprefix(_MONDRIAN).strip():
        return "mondrian", text.removeprefix(_MONDRIAN).strip()
    raise StopError(
        "E_OPTION",
        f"--prediction-sets {text!r} is not understood",
        fix="give marginal, class-conditional or mondrian:COLUMN",
    )


def fit_sets(
    probabilities: Floats,
    labels: Ints,
    *,
    sets: str = "marginal",
    coverage: float = COVERAGE,
    groups: Sequence[str] | None = None,
) -> SetRule:
    """Conformalize on probabilities (N, K) and labels (N,) of ``tune``.

    `groups` (N,): of ``mondrian:COLUMN`` the column's values, ``""`` where not known. A group
    with fewer than 20 scans, or fewer than the coverage asks for, uses the cutoff of all scans.
    """
    kind, column = parse_sets(sets)
    if kind == "class-conditional":
        return SetRule(kind, tuple(class_cutoffs(probabilities, labels, coverage)), coverage)
    marginal = (conformal_cutoff(probabilities, labels, coverage),)
    if kind == "marginal":
        return SetRule(kind, marginal, coverage)
    names = np.array(list(groups or ()))
    cutoffs = {}
    fewest = max(FEWEST, math.ceil(coverage / (1 - coverage)))
    known = [str(name) for name in np.unique(names) if name]
    for name in known:
        rows = names == name
        if rows.sum() >= fewest:
            own = conformal_cutoff(probabilities[rows], labels[rows], coverage)
            cutoffs[group_key(name)] = own
    small = {group_key(name): marginal[0] for name in known if group_key(name) not in cutoffs}
    return SetRule(kind, marginal, coverage, column, {**cutoffs, **small}, len(small))
