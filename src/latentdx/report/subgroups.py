"""How the model does in groups of the test scans, and how far apart the groups are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable
from latentdx.core.seeds import numpy_generator
from latentdx.features.metadata import Column, metadata_columns, numbers_of
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.metric import as_rows
from latentdx.report.card import field_of, number

GROUP_SCANS = 20
MOST_GROUPS = 8
AGE_COLUMNS = ("age", "age_years", "patient_age", "patientage")
AGE_STARTS = (0, 18, 40, 60, 80)
LARGE_GAP, LARGE_SHARE = 0.05, 0.25
MANY_GROUPS = 5
_OLDEST = 120
_RESAMPLES = 1000
_TITLES = {"auroc": "AUROC", "mae": "mean absolute error"}


class Grouped(Protocol):
    """What is said of the test part, as far as groups of it are compared."""

    @property
    def patients(self) -> NDArray[np.str_]:
        """(N,), by whom intervals are drawn."""

    @property
    def group_metric(self) -> str:
        """The metric by which groups of scans are compared."""

    def compared(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """That metric (B,) from weights (B, N)."""

    def take(self, rows: NDArray[Any]) -> Self:
        """The scans where a mask is True."""


@dataclass(frozen=True)
class Group:
    """The test scans (N,) that have one value of a column."""

    column: str
    value: str
    rows: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.rows.sum())


def subgroups(
    predictions: Grouped, scan_ids: Sequence[str], table: CollectionTable, seed: int
) -> dict[str, Any]:
    """For ``metrics.json``: ``subgroups`` and ``subgroup_gaps``.

    Groups are those of a site, sex, view, age band or other column of 2 to 8 values, with at least
    20 test scans; each has the metric by which groups are compared (AUROC; of numbers the mean
    absolute error). A gap is that of the best to the worst group of a column, on the same resamples
    of patients. The two were chosen by their values: chance alone makes some gap.
    """
    groups = groups_of(table, scan_ids)
    told = [_told(predictions, group, seed) for group in groups]
    by_column: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        by_column.setdefault(group.column, []).append(row)
    metric = predictions.group_metric
    gaps = []
    for column, rows in by_column.items():
        known = [row for row in rows if told[row][metric]["value"] is not None]
        if len(known) > 1:
            known.sort(key=lambda row: told[row][metric]["value"])
            worst, best = groups[known[0]], groups[known[-1]]
            gap = _gap(predictions, worst, best, seed)
            ends = {"low_in": worst.value, "high_in": best.value, "n_groups": len(known)}
            gaps.append({"column": column, **ends, "metric": metric, "gap": gap.as_json()})
    return {"subgroups": told, "subgroup_gaps": gaps}


def finding_subgroups(
    each: Mapping[str, Grouped], scan_ids: Sequence[str], table: CollectionTable, seed: int
) -> dict[str, Any]:
    """For ``metrics.json``: `subgroups` of each finding by name, in ``finding_subgroups``.

    The mean over findings has no value in a group that lacks one of them.
    """
    told = {name: subgroups(one, scan_ids, table, seed) for name, one in each.items()}
    return {"finding_subgroups": told}


def groups_of(table: CollectionTable, scan_ids: Sequence[str]) -> list[Group]:
    """The groups of these scans, in the order of columns and values; ages in bands."""
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    columns = metadata_columns(table.take([rows[name] for name in scan_ids]))
    found = []
    for name, told in columns.items():
        values = np.array(age_bands(told) if name.lower() in AGE_COLUMNS else told)
        levels = sorted({str(level) for level in values.tolist() if level}, key=_order)
        if 2 <= len(levels) <= MOST_GROUPS:
            found += [Group(name, level, values == level) for level in levels]
    return [group for group in found if len(group) >= GROUP_SCANS]


def age_bands(values: Column) -> Column:
    """Ages in years as ``0-17``, ``18-39``, ``40-59``, ``60-79``, ``80+``.

    What is no number is not known; a column that holds none of a human age is left as it is.

    Examples
    --------
    >>> age_bands(("7", "39.5", "80", "", "?"))
    ('0-17', '18-39', '80+', '', '')
    >>> age_bands(("old", "young"))
    ('old', 'young')
    """
    years = numbers_of(values)
    known = years[~np.isnan(years)]
    if not len(known) or known.min() < 0 or known.max() > _OLDEST:
        return values
    names = [f"{low}-{high - 1}" for low, high in pairwise(AGE_STARTS)] + [f"{AGE_STARTS[-1]}+"]
    bands = np.searchsorted(AGE_STARTS, years, "right") - 1
    return tuple(
        "" if np.isnan(year) else names[band]
        for year, band in zip(years.tolist(), bands.tolist(), strict=True)
    )


def gap_warnings(metrics: Mapping[str, Any]) -> list[str]:
    """What to read with care in groups: large gaps, and that there are many groups.

    A gap of AUROCs is large from .05, one of mean absolute errors from a quarter of that of all.
    Of single findings those gaps are told that are no chance.
    """
    error = field_of(metrics, "test", "mae", "value")
    large = LARGE_GAP if error is None else LARGE_SHARE * error
    found = [text for told in metrics["subgroup_gaps"] if (text := _wide(told, large))]
    for name, of_finding in metrics.get("finding_subgroups", {}).items():
        gaps = [told for told in of_finding["subgroup_gaps"] if (told["gap"]["low"] or 0) > 0]
        found += [text for told in gaps if (text := _wide(told, large, f" of {name!r}"))]
    n_groups = len(metrics["subgroups"])
    if n_groups >= MANY_GROUPS:
        found.append(
            f"subgroups: {n_groups} are shown; of so many 95 % intervals one in twenty misses by "
            "chance, and the widest gaps are wider than they will be again"
        )
    return found


def _wide(told: Mapping[str, Any], large: float, of: str = "") -> str:
    """A gap in words, where it is wide."""
    gap, name = told["gap"], told["metric"]
    if gap["value"] <= large or gap["low"] is None:
        return ""
    sure = "" if gap["low"] > 0 else ", which chance alone may make"
    value, low, high = (
        number(gap[end]) if name == "mae" else f"{gap[end]:.3f}" for end in ("value", "low", "high")
    )
    return (
        f"subgroups: by {told['column']!r} the {_TITLES[name]}{of} differs by up to {value} "
        f"(95 % interval {low} to {high}{sure}): it is lowest in {told['low_in']!r}, highest in "
        f"{told['high_in']!r} of {told['n_groups']} groups"
    )


def _told(predictions: Grouped, group: Group, seed: int) -> dict[str, Any]:
    part = predictions.take(group.rows)

    def statistic(drawn: NDArray[Any]) -> NDArray[np.float64]:
        return part.compared(as_rows(drawn, len(part.patients)))[:, None]

    generator = numpy_generator(seed, "bootstrap")
    found = bootstrap(statistic, part.patients, generator=generator, n_resamples=500)[0]
    counts = {"n_scans": found.n_scans, "n_patients": found.n_patients}
    named = {predictions.group_metric: found.as_json()}
    return {"column": group.column, "value": group.value, **counts, **named}


def _gap(predictions: Grouped, worst: Group, best: Group, seed: int) -> Estimate:
    both = worst.rows | best.rows
    part, within = predictions.take(both), [each.rows[both] for each in (worst, best)]

    def statistic(drawn: NDArray[Any]) -> NDArray[np.float64]:
        weights = as_rows(drawn, len(part.patients))
        low, high = (part.compared(weights * rows) for rows in within)
        found: NDArray[np.float64] = (high - low)[:, None]
        return found

    generator = numpy_generator(seed, "bootstrap")
    return bootstrap(statistic, part.patients, generator=generator, n_resamples=_RESAMPLES)[0]


def _order(level: str) -> tuple[float, str]:
    """Numbers by size, bands by their start, others by name behind them."""
    first = numbers_of((level.split("-")[0].rstrip("+"),))[0]
    return (float("inf") if np.isnan(first) else float(first), level)
