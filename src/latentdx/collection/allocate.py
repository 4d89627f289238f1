"""Drawing units into parts, class by class, so that every part gets every class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable, StrArray
from latentdx.collection.tasks import SEPARATOR
from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator

Fractions = tuple[float, float, float, float]
Units = NDArray[np.int64]

_PARTS = ("train", "tune", "calibrate", "test")
# Where a class is too small for all, a classifier and its test come first.
_NEED_FIRST = ("train", "test", "calibrate", "tune")
_FIXED = ("tune", "calibrate", "test")


@dataclass(frozen=True)
class Draft:
    """Rows to be put into parts: label, given part (``""`` where none), unit, and use.

    A label of several findings counts for each of them: drawn from the rarest on, every part gets
    its share of each, as far as that goes (Sechidis et al., ECML PKDD 2011).
    """

    label: StrArray
    given: StrArray
    unit: Units
    usable: NDArray[np.bool_]

    def assign(self, fractions: Fractions, seed: int) -> StrArray:
        """(N,) the part of each usable row, ``""`` for the others.

        Raises `StopError` ``E_FRACTIONS``.
        """
        if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
            text = f"the fractions {fractions} of train, tune, calibrate, test"
            raise StopError("E_FRACTIONS", text, fix="give four above 0 that sum to 1")
        pools = self._pools()
        part_of: dict[int, str] = {unit: pool for unit, pool in pools.items() if pool in _FIXED}
        shares = self._shares(fractions)
        for pool in ("val", "train"):
            members = {unit for unit, of in pools.items() if of == pool}
            self._draw(members, shares[pool], part_of, seed)
        found = [part_of.get(unit, "") for unit in self.unit.tolist()]
        return np.where(self.usable, np.array(found, np.str_), "")

    def _pools(self) -> dict[int, str]:
        """The given part of each unit; one given in several parts trains, unless one is test."""
        given: dict[int, set[str]] = {}
        for unit, part in self._pairs(self.given):
            given.setdefault(unit, set()).add(part or "train")
        return {
            unit: "test" if "test" in parts else parts.pop() if len(parts) == 1 else "train"
            for unit, parts in given.items()
        }

    def _pairs(self, values: StrArray) -> list[tuple[int, str]]:
        pairs = zip(self.unit[self.usable].tolist(), values[self.usable].tolist(), strict=True)
        return list(pairs)

    def _named(self) -> list[tuple[int, str]]:
        """Units and the names in their labels."""
        pairs = self._pairs(self.label)
        return [(unit, name) for unit, label in pairs for name in label.split(SEPARATOR)]

    def _shares(self, fractions: Fractions) -> dict[str, dict[str, float]]:
        """For each pool, the fraction of its units that each part is to get."""
        declared = set(self.given[self.usable].tolist())
        wanted = dict(zip(_PARTS, fractions, strict=True))
        closed = declared & {"tune", "calibrate", "test"}
        drawn = [part for part in _PARTS[1:] if part not in closed]
        shares = {part: wanted[part] for part in drawn}
        if "val" in declared:
            # Nothing is taken from train for them, but for a class that `val` lacks.
            shares.update(dict.fromkeys({"tune", "calibrate"} & set(drawn), 0.0))
        return {
            "train": {"train": 1 - sum(shares.values()), **shares},
            "val": dict.fromkeys(("tune", "calibrate"), 0.5),
        }

    def _draw(
        self, members: set[int], shares: dict[str, float], part_of: dict[int, str], seed: int
    ) -> None:
        """Rarest class first, so that its patients choose before they count for others."""
        classes = self._classes()
        stratum = self._strata(classes)
        for name in classes:
            units = sorted(unit for unit in members if stratum[unit] == name)
            numpy_generator(seed, "split", name, *sorted(shares)).shuffle(units)
            holders = self._holders(name)
            taken = {part_of[unit] for unit in holders if unit in part_of}
            counts: Counter[str] = Counter()
            for unit in units:
                part = _next_part(shares, counts, taken, len(units))
                part_of[unit] = part
                counts[part] += 1
                taken.add(part)

    def _classes(self) -> list[str]:
        """Classes by number of units, the rarest first."""
        counts = Counter(name for _, name in set(self._named()))
        return sorted(counts, key=lambda name: (counts[name], name))

    def _strata(self, classes: list[str]) -> dict[int, str]:
        rank = {name: index for index, name in enumerate(classes)}
        stratum: dict[int, str] = {}
        for unit, name in self._named():
            stratum[unit] = min(name, stratum.get(unit, name), key=rank.__getitem__)
        return stratum

    def _holders(self, name: str) -> set[int]:
        return {unit for unit, label in self._named() if label == name}


def draw_labelled(
    table: CollectionTable, parts: StrArray, units: Units, *, count: int, seed: int
) -> StrArray:
    """Keep `count` labelled scans of train, whole patients first; the others become pretrain.

    Classes keep their proportions, each at least one scan; of several findings a scan counts for
    its rarest. Fewer labels with the same seed are a
    subset of more, but for the rounding of the proportions.
    Raises `StopError` ``E_LABELLED`` where there are fewer labels than classes.
    """
    train = parts == "train"
    strata = rarest_names(np.where(train, table.label, ""))
    counts = Counter(strata[train].tolist())
    if count < len(counts):
        text = f"{count} labelled scans asked for, {len(counts)} classes"
        raise StopError("E_LABELLED", text, fix="ask for at least one a class")
    quotas = _quotas(counts, count)
    kept = [
        _by_unit(table, np.flatnonzero(train & (strata == name)), units, (seed, name))[:quota]
        for name, quota in quotas.items()
    ]
    found = np.where(train, "pretrain", parts)
    found[np.concatenate(kept)] = "train"
    return found


def rarest_names(labels: StrArray) -> StrArray:
    """(N,) of each label the rarest of its names: itself where it is one.

    Examples
    --------
    >>> rarest_names(np.array(["mass", "effusion;mass", "none"])).tolist()
    ['mass', 'effusion', 'none']
    """
    held = [label.split(SEPARATOR) for label in labels.tolist()]
    counts = Counter(name for names in held for name in names)
    return np.array([min(names, key=lambda name: (counts[name], name)) for names in held], np.str_)


def _by_unit(table: CollectionTable, rows: Units, units: Units, drawn_by: tuple[int, str]) -> Units:
    """The rows of one class, unit after unit in the order drawn by a seed and the class's name."""
    present = np.unique(units[rows])
    seed, name = drawn_by
    numpy_generator(seed, "labelled", name).shuffle(present)
    place = {unit: index for index, unit in enumerate(present.tolist())}
    drawn = np.array([place[unit] for unit in units[rows].tolist()])
    return rows[np.lexsort((table.scan_id[rows], drawn))]


def _quotas(counts: Counter[str], total: int) -> dict[str, int]:
    """`total` in proportion to `counts`: at least 1 and at most the count each."""
    everything = sum(counts.values())
    exact = {name: total * counts[name] / everything for name in sorted(counts)}
    quotas = {name: min(counts[name], max(1, int(share))) for name, share in exact.items()}
    while sum(quotas.values()) != min(total, everything):
        step = 1 if sum(quotas.values()) < min(total, everything) else -1
        movable = [name for name in quotas if 1 <= quotas[name] + step <= counts[name]]
        name = max(movable, key=lambda name: step * (exact[name] - quotas[name]))
        quotas[name] += step
    return quotas


def _next_part(
    shares: dict[str, float], counts: Counter[str], taken: set[str], n_units: int
) -> str:
    """A part that lacks the class, else the one furthest behind its share."""
    for part in _NEED_FIRST:
        if part in shares and part not in taken:
            return part
    return max(shares, key=lambda part: shares[part] * n_units - counts[part])
