"""`find_shortcuts`: can the label be told from what is not anatomy?

Each column of what is known of scans, and each part of the picture that shows no organ, is asked by
itself. What is counted as a shortcut, and what as a confounder, is decision 0023.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.collection.units import unit_ids
from latentdx.core.seeds import numpy_generator
from latentdx.features import probe_pixels
from latentdx.features.label_probe import PERMUTATIONS, LabelProbe
from latentdx.features.metadata import names_the_label
from latentdx.features.probe_columns import (
    CONVERSIONS,
    WORDS,
    are_days,
    conversions_of,
    of_column,
    of_words,
    path_words,
    probed_columns,
)
from latentdx.features.probe_region import outside_region
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.permutation import holm
from latentdx.scans.policy import RegionName

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Nature = Literal["gathering", "person", "day", "path", "outside", "marks", "whole"]
About = Literal["metadata", "pixels"]

MOST_SCANS = 1000
FEWEST_SCANS, FEWEST_OF_A_CLASS = 24, 5
LEVEL, LEAST = 0.05, 0.55
"""The chance of any false alarm in a collection, and the AUROC below which none is worth one."""

_MOST_COLUMNS = 60
_OF_GATHERING = re.compile(
    r"site|hospital|cent(er|re)|ward|view|projection|position|manufacturer|scanner|device|model|"
    r"protocol|sequence|portable|kvp|exposure|detector|follow.?up"
)
"""Columns that stay shortcuts where they are the label in other words: others hold it."""

_OF_PERSON = re.compile(r"(^|_|patient)(age|sex|gender|bmi|weight|race|ethnicity)(_|s?$)")
_OF_PIXELS: Mapping[str, Nature] = {
    probe_pixels.BORDER: "outside",
    probe_pixels.CORNERS: "outside",
    probe_pixels.MARKS: "marks",
    probe_pixels.RING: "whole",
    probe_pixels.HISTOGRAM: "whole",
}


@dataclass(frozen=True)
class Probed:
    """How well one column, or one part of the picture, tells the label by itself.

    `p_value` is corrected for how many were asked; `is_flagged`: it is below `LEVEL`, and the
    AUROC is not below `LEAST`.
    """

    name: str
    about: About
    nature: Nature
    auroc: Estimate
    p_value: float

    @property
    def is_flagged(self) -> bool:
        """Whether it is told as a finding."""
        return self.p_value < LEVEL and (self.auroc.value or 0) >= LEAST

    def as_json(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        told = {"name": self.name, "nature": self.nature, "auroc": self.auroc.as_json()}
        return {**told, "p_value": round(self.p_value, 6), "flagged": self.is_flagged}


@dataclass(frozen=True)
class Shortcuts:
    """All that was asked of a collection.

    `same`: columns of a table that are the label in other words, of which nothing more is asked.
    Without `probed` and `same` there were too few patients.
    """

    probed: tuple[Probed, ...] = ()
    same: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For ``metrics.json``: ``metadata`` and ``pixels``."""
        return {
            about: [each.as_json() for each in self.probed if each.about == about]
            for about in ("metadata", "pixels")
        }


def find_shortcuts(
    collection: Collection,
    table: CollectionTable,
    rows: NDArray[np.int64],
    *,
    seed: int = 0,
    region: RegionName | None = None,
) -> Shortcuts:
    """Ask everything but the picture's middle for the labels of the scans at `rows`.

    One scan a patient is drawn, of at most 1,000 patients. Numbers are asked whether they are
    above their median. Nothing is asked of fewer than 24 patients, nor for classes of fewer than 5.
    With a `region`, what lies outside it is asked, too.

    Examples
    --------
    >>> found = find_shortcuts(stored, stored.metadata(), np.arange(900))  # doctest: +SKIP
    >>> [each.name for each in found.probed if each.is_flagged]  # doctest: +SKIP
    ['site']
    """
    chosen = one_scan_each(table, rows, seed)
    told = table.take(chosen)
    targets = targets_of(told)
    if targets.shape[1] == 0:
        return Shortcuts()
    columns, same = _features_of_columns(told)
    asked: dict[str, tuple[About, Nature, Floats]] = {
        name: ("metadata", nature, features) for name, (nature, features) in columns.items()
    }
    for name, features in probe_pixels.outside_features(collection, table, chosen).items():
        asked[name] = ("pixels", _OF_PIXELS[name], features)
    if region is not None:
        nature: Nature = "outside" if region == "body" else "whole"
        features = outside_region(collection, chosen, region)
        asked[f"outside the {region}"] = ("pixels", nature, features)
    return Shortcuts(tuple(_answers(asked, targets, seed)), tuple(same))


def one_scan_each(
    table: CollectionTable, rows: NDArray[np.int64], seed: int, most: int = MOST_SCANS
) -> NDArray[np.int64]:
    """One row a patient (or patients who share a picture), drawn; at most so many, ascending."""
    rows = rows[np.argsort(table.scan_id[rows], kind="stable")]
    rows = numpy_generator(seed, "shortcuts").permutation(rows)
    _, first = np.unique(unit_ids(table)[rows], return_index=True)
    found: NDArray[np.int64] = np.sort(rows[np.sort(first)[:most]])
    return found


def targets_of(table: CollectionTable) -> Mask:
    """(N, K) which scans have each class that is asked for; of two classes one; K may be 0."""
    names = table.classes
    if len(table) < FEWEST_SCANS or len(names) < 2:
        return np.zeros((len(table), 0), np.bool_)
    numbers = _values(table)
    if numbers is not None:
        found = (numbers > np.median(numbers))[:, None]
    else:
        found = np.stack([table.has(name) for name in (names if len(names) > 2 else names[1:])], 1)
    counts = found.sum(axis=0)
    enough = (counts >= FEWEST_OF_A_CLASS) & (len(table) - counts >= FEWEST_OF_A_CLASS)
    return found[:, enough]


def _values(table: CollectionTable) -> Floats | None:
    """The labels as numbers, where they are numbers of more than a dozen values."""
    try:
        found = table.label.astype(np.float64)
    except ValueError:
        return None
    return found if len(np.unique(found)) > 12 else None


def _features_of_columns(
    table: CollectionTable,
) -> tuple[dict[str, tuple[Nature, Floats]], list[str]]:
    """Features by name with the column's nature; and the columns that are the label itself."""
    _, labels = np.unique(table.label, return_inverse=True)
    found: dict[str, tuple[Nature, Floats]] = {}
    same = []
    for name, values in list(probed_columns(table).items())[:_MOST_COLUMNS]:
        if names_the_label(values, labels) and _may_hold_the_label(name, table):
            same.append(name)
        elif (features := of_column(values)) is not None:
            found[name] = (_nature(name, days=are_days(values)), features)
    words: tuple[tuple[str, Nature, list[set[str]]], ...] = (
        (CONVERSIONS, "gathering", conversions_of(table)),
        (WORDS, "path", path_words(table)),
    )
    for name, nature, each in words:
        if (features := of_words(each)) is not None:
            found[name] = (nature, features)
    return found, same


def _may_hold_the_label(column: str, table: CollectionTable) -> bool:
    """Whether it is a column of a table, and its name says nothing of how scans were gathered."""
    is_given = any(column in told for told in table.covariates)
    return is_given and _OF_GATHERING.search(column.lower()) is None


def _nature(column: str, *, days: bool) -> Nature:
    if days:
        return "day"
    return "person" if _OF_PERSON.search(column.lower()) else "gathering"


def _answers(
    asked: Mapping[str, tuple[About, Nature, Floats]], targets: Mask, seed: int
) -> Iterator[Probed]:
    probe = LabelProbe.of(targets, numpy_generator(seed, "shortcuts", "folds"))
    # Of several classes each permutation costs as many times as much: few more than Holm needs.
    most = max(PERMUTATIONS if targets.shape[1] == 1 else 0, round(4 * len(asked) / LEVEL))
    found: list[Probed] = []
    for name, (about, nature, features) in asked.items():
        area = probe.estimate(probe.scores(features), numpy_generator(seed, "bootstrap"))
        chance = probe.p_value(features, numpy_generator(seed, "shortcuts", name), most)
        found.append(Probed(name, about, nature, area, chance))
    corrected = holm([each.p_value for each in found]).tolist()
    for each, p_value in zip(found, corrected, strict=True):
        yield replace(each, p_value=p_value)


def strongest_first(probed: Sequence[Probed]) -> list[Probed]:
    """Those that are flagged."""
    flagged = [each for each in probed if each.is_flagged]
    return sorted(flagged, key=lambda each: -(each.auroc.value or 0))
