"""What prediction sets hold on the test part, how much is answered, and how often wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.conformal import COVERAGE
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.metrics.bootstrap import bootstrap
from latentdx.report.evaluate import TestResult

_FEWEST = 20
_MOST_GROUPS = 20

Columns = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


def abstention_of(
    model: DiagnosticModel, result: TestResult, groups: Sequence[str] | None, seed: int
) -> dict[str, Any]:
    """`abstention` of a model, with the coverage of each class and group, and the risk it keeps.

    `groups` (N,) are the test scans' values of the column of `model.sets`; groups with fewer than
    20 test scans are not shown.
    """
    found = abstention(result, seed, coverage=model.sets.coverage)
    found |= {"sets": model.sets.kind, "coverage_by_class": _by_class(model, result, seed)}
    if model.sets.kind == "mondrian" and groups is not None:
        found["coverage_by_group"] = _by_group(result, groups, seed)
    if model.risk is not None:
        found["risk"] = _risk(model.risk, result, seed)
    return found


def abstention(result: TestResult, seed: int, coverage: float = COVERAGE) -> dict[str, Any]:
    """What prediction sets hold, and what answering only where one class remains would give.

    `coverage` is what they promise.
    """
    scans = result.scans
    return answering(result.outputs.sets, scans.labels, scans.patients, seed, coverage=coverage)


def answering(
    inside: NDArray[np.bool_],
    labels: NDArray[np.int64],
    patients: NDArray[np.str_],
    seed: int,
    *,
    coverage: float,
) -> dict[str, Any]:
    """`abstention` of prediction sets (N, K), of scans with labels and patients (N,)."""
    single = (inside.sum(axis=1) == 1).astype(np.float64)
    right = (inside.argmax(axis=1) == labels) * single
    every = np.ones(len(inside))
    covered = inside[np.arange(len(inside)), labels].astype(np.float64)
    numbers = ratios(
        {
            "coverage": (covered, every),
            "answered_fraction": (single, every),
            "accuracy_when_answered": (right, single),
        },
        patients,
        seed,
    )
    return {"target_coverage": coverage, **numbers}


def _by_class(model: DiagnosticModel, result: TestResult, seed: int) -> dict[str, Any]:
    covered = _covered(result)
    own = [(result.scans.labels == k).astype(np.float64) for k in range(len(model.classes))]
    columns = {name: (covered * of, of) for name, of in zip(model.classes, own, strict=True)}
    return ratios(columns, result.scans.patients, seed)


def _by_group(result: TestResult, groups: Sequence[str], seed: int) -> list[dict[str, Any]]:
    names, covered = np.array(list(groups)), _covered(result)
    found = []
    for name in np.unique(names[names != ""])[:_MOST_GROUPS].tolist():
        own = (names == name).astype(np.float64)
        if own.sum() >= _FEWEST:
            numbers = ratios({"coverage": (covered * own, own)}, result.scans.patients, seed)
            found.append({"value": name, **numbers})
    return found


def _risk(risk: RiskControl, result: TestResult, seed: int) -> dict[str, Any]:
    answered = risk.answers(result.outputs.probabilities, result.outputs.decisions)
    wrong = answered & (result.outputs.decisions != result.scans.labels)
    each = answered.astype(np.float64)
    columns = {
        "answered_fraction": (each, np.ones(len(each))),
        "error_when_answered": (wrong.astype(np.float64), each),
    }
    tested = ("n_patients", "n_answered", "n_wrong")
    return {
        "target": risk.risk,
        "confidence": risk.confidence,
        "reached": risk.cutoff is not None,
        "cutoff": risk.cutoff,
        "tune": {name: getattr(risk, name) for name in tested},
        **ratios(columns, result.scans.patients, seed),
    }


def _covered(result: TestResult) -> NDArray[np.float64]:
    inside = result.outputs.sets
    return inside[np.arange(len(inside)), result.scans.labels].astype(np.float64)


def ratios(columns: Columns, patients: NDArray[np.str_], seed: int) -> dict[str, Any]:
    """By name the sum of one column over that of another, both (N,), with intervals.

    The scans of each are those that the second column counts.
    """
    above, below = (np.stack([pair[side] for pair in columns.values()], axis=1) for side in (0, 1))

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: NDArray[np.float64] = (weights @ above) / (weights @ below)
        return found

    generator = numpy_generator(seed, "bootstrap")
    found = bootstrap(statistic, patients, generator=generator)
    counted = [
        {
            "n_scans": int((column > 0).sum()),
            "n_patients": len(np.unique(patients[column > 0])),
        }
        for column in below.T
    ]
    return {
        name: item.as_json() | counts
        for name, item, counts in zip(columns, found, counted, strict=True)
    }
