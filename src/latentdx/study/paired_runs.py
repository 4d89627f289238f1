"""Two runs on the scans that both tested: their metrics over the same resamples of patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.tasks import SEPARATOR
from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import Statistic, bootstrap
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.further import further_names, further_of
from latentdx.metrics.grades import FROM_GRADES
from latentdx.metrics.metric import as_rows
from latentdx.metrics.summary import NAMES, raised_in, statistic_of
from latentdx.metrics.values import METRICS
from latentdx.study.told_run import PROBABILITY, Task, ToldRun

Floats = NDArray[np.float64]
FEWEST_SHARED = 0.5


@dataclass(frozen=True)
class Pair:
    """Two runs and the scans of both, by id in ascending order."""

    first: ToldRun
    second: ToldRun
    scan_ids: tuple[str, ...]

    @property
    def patients(self) -> list[str]:
        """(N,), as the first run names them."""
        return [self.first.rows[scan]["patient"] for scan in self.scan_ids]

    @property
    def is_whole(self) -> bool:
        """Whether both tested the same scans."""
        return len(self.scan_ids) == len(self.first.rows) == len(self.second.rows)


@dataclass(frozen=True)
class Difference:
    """One metric of both runs, and that of the second less that of the first."""

    first: Estimate
    second: Estimate
    difference: Estimate

    def as_json(self) -> dict[str, Any]:
        """Five fields of each."""
        return {name: getattr(self, name).as_json() for name in ("first", "second", "difference")}


def pair_runs(first: ToldRun, second: ToldRun) -> Pair:
    """The scans of both. Raises `StopError` ``E_DIFF`` where the runs cannot be laid side by side.

    That is: another task, other classes, other things decided; fewer than half of the larger test
    part in common; another reference standard of a scan.
    """
    for what, one, other in (
        ("tasks", first.task, second.task),
        ("classes", sorted(first.classes), sorted(second.classes)),
        ("things that are decided", first.decided, second.decided),
    ):
        if one != other:
            raise _apart(f"the runs have other {what}: {_said(one)} and {_said(other)}")
    if first.task == "ordinal" and first.classes != second.classes:
        raise _apart("the grades of the runs have another order")
    shared = sorted(first.rows.keys() & second.rows.keys())
    most = max(len(first.rows), len(second.rows))
    if len(shared) < FEWEST_SHARED * most:
        found = f"the test parts share {len(shared)} of {most} scans, fewer than half"
        fix = "compare runs with the same scans, --seed and parts, or evaluate both bundles on one "
        raise StopError("E_DIFF", found, fix=fix + "collection")
    column = "value" if first.task == "regression" else "label"
    changed = sum(first.rows[scan][column] != second.rows[scan][column] for scan in shared)
    if changed:
        raise _apart(f"{changed} of {len(shared)} shared test scans have another label")
    return Pair(first, second, tuple(shared))


def differences(pair: Pair, n_resamples: int) -> dict[str, Difference]:
    """All metrics by name, with 95 % intervals over the same resamples of patients."""
    names, make = _BY_TASK[pair.first.task]
    sides = [make(run, pair) for run in (pair.first, pair.second)]
    told = names(pair)
    return estimated(told, sides, pair.patients, pair.first.seed, n_resamples, raised_in(told))


def estimated(
    names: Sequence[str],
    sides: Sequence[Statistic],
    patients: Sequence[str],
    seed: int,
    n_resamples: int,
    raised: Sequence[int] = (),
) -> dict[str, Difference]:
    """By name what both sides come to, and by how much the second is ahead, paired by patient."""

    def statistic(drawn: NDArray[Any]) -> Floats:
        first, second = (of(drawn) for of in sides)
        return np.concatenate([first, second, second - first], axis=1)

    count = len(names)
    found = bootstrap(
        statistic,
        patients,
        generator=numpy_generator(seed, "bootstrap"),
        n_resamples=n_resamples,
        raised=(*raised, *(count + place for place in raised)),
    )
    parts = (found[start : start + count] for start in range(0, 3 * count, count))
    return dict(zip(names, map(Difference, *parts), strict=True))


def _names_of_classes(pair: Pair) -> tuple[str, ...]:
    grades = tuple(FROM_GRADES) if pair.first.task == "ordinal" else ()
    return (*grades, *NAMES, *further_names(len(pair.first.classes)))


def _of_classes(run: ToldRun, pair: Pair) -> Statistic:
    classes = pair.first.classes
    places = {name: k for k, name in enumerate(classes)}
    rows = [run.rows[scan] for scan in pair.scan_ids]
    labels, decisions = (
        np.array([places[row[column]] for row in rows], np.int64)
        for column in ("label", "decision")
    )
    table = probabilities(rows, classes)
    base = statistic_of(labels, table, decisions, ordered=run.task == "ordinal")
    further = further_of(labels, table, decisions, _prevalence(pair, labels))

    def statistic(drawn: NDArray[Any]) -> Floats:
        return np.concatenate([base(drawn), further(drawn)], axis=1)

    return statistic


def _prevalence(pair: Pair, labels: NDArray[np.int64]) -> float:
    """That which the first run was given, else the share of the shared scans."""
    given = pair.first.metrics.get("prevalence", {})
    return float(given["value"]) if given.get("source") == "given" else float((labels == 1).mean())


def _names_of_findings(pair: Pair) -> tuple[str, ...]:
    return (*NAMES, *(f"auroc of {name}" for name in pair.first.classes))


def _of_findings(run: ToldRun, pair: Pair) -> Statistic:
    rows, each = [run.rows[scan] for scan in pair.scan_ids], []
    for name in pair.first.classes:
        labels, decisions = (
            np.array([name in row[column].split(SEPARATOR) for row in rows], np.int64)
            for column in ("label", "decision")
        )
        told = probabilities(rows, (name,))[:, 0]
        each.append(statistic_of(labels, np.stack([1 - told, told], axis=1), decisions))

    def statistic(drawn: NDArray[Any]) -> Floats:
        values = [of(drawn) for of in each]
        areas = [found[:, NAMES.index("auroc")] for found in values]
        return np.concatenate([np.mean(values, axis=0), np.stack(areas, axis=1)], axis=1)

    return statistic


def _names_of_values(pair: Pair) -> tuple[str, ...]:
    return tuple(METRICS)


def _of_values(run: ToldRun, pair: Pair) -> Statistic:
    rows = [run.rows[scan] for scan in pair.scan_ids]
    values, told = (np.array([float(row[of]) for row in rows]) for of in ("value", "prediction"))

    def statistic(drawn: NDArray[Any]) -> Floats:
        weights = as_rows(drawn, len(values))
        return np.stack([of(values, told, weights) for of in METRICS.values()], axis=1)

    return statistic


def probabilities(rows: Sequence[Mapping[str, str]], classes: tuple[str, ...]) -> Floats:
    """(N, K) of rows of a table of predictions."""
    return np.array([[float(row[f"{PROBABILITY}{name}"]) for name in classes] for row in rows])


_BY_TASK: dict[
    Task, tuple[Callable[[Pair], tuple[str, ...]], Callable[[ToldRun, Pair], Statistic]]
] = {
    "classes": (_names_of_classes, _of_classes),
    "ordinal": (_names_of_classes, _of_classes),
    "multi-label": (_names_of_findings, _of_findings),
    "regression": (_names_of_values, _of_values),
}


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _apart(found: str) -> StopError:
    return StopError("E_DIFF", found, fix="compare runs of the same question and labels")
