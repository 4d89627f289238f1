"""What the scores of a label curve say: AUROC by way and labels, differences, labels needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.label_ways import CNN, LATENTDX, WAYS, Point, Scores, Trials
from latentdx.metrics.crossed import Crossed, crossed_bootstrap
from latentdx.metrics.decisions import balanced_accuracy
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.estimate import Estimate

MOST_DRAWS = 5
Fits = dict[str, dict[Point, Scores]]


def summarised(trials: Trials, known: dict[Any, Crossed]) -> dict[str, Any] | None:
    """All that is kept of one set; None where latentdx has no point yet.

    `known` holds what was resampled before, for the next call.
    """
    fits = _fits(trials)
    if not fits[LATENTDX]:
        return None
    told: dict[str, Any] = {
        "classes": list(trials.learned.classes),
        "learned": [len(trials.learned), len(np.unique(trials.learned.patients))],
        "tested": [len(trials.tested), len(np.unique(trials.tested.patients))],
        "points": [],
    }
    curves: dict[str, dict[int, Crossed]] = {way: {} for way in WAYS}
    for fraction, counts in trials.budgets.items():
        draws = _shared(fits, fraction)
        if LATENTDX not in draws:
            continue
        found = {way: _resampled(trials, way, fraction, draws[way], known) for way in draws}
        for way, each in found.items():
            curves[way][sum(counts)] = each
        told["points"].append(
            {
                "fraction": fraction,
                "patients": list(counts),
                "scans": len(trials.rows((fraction, 0))),
                "draws": 1 if fraction == 1 else len(draws[LATENTDX]),
                "ways": {
                    way: {
                        "auroc": _as_dict(each.estimate()),
                        "balanced_accuracy": _accuracy(trials, draws[way]),
                    }
                    for way, each in found.items()
                },
                "latentdx minus": {
                    way: _as_dict(found[LATENTDX].minus(each))
                    for way, each in found.items()
                    if way != LATENTDX
                },
            }
        )
    told["labels needed"] = {
        "latentdx, for the CNN's score with all": needed(curves[LATENTDX], curves[CNN]),
        "CNN, for latentdx's score with all": needed(curves[CNN], curves[LATENTDX]),
    }
    return told


def needed(curve: Mapping[int, Crossed], goal: Mapping[int, Crossed]) -> dict[str, Any] | None:
    """Labelled patients from which on one curve is at the other's last point, and their share.

    Between two points AUROC runs straight over the logarithm of the patients. Where the curve's
    last point is below the goal they are None; where its first one is not, they are its own. None
    where the goal's last point is missing. The interval resamples patients and draws.
    """
    if not curve or not goal or max(goal) < max(curve):
        return None
    sizes = sorted(curve)
    values = np.stack([np.append(curve[n].value, curve[n].resampled) for n in sizes], axis=1)
    last = goal[max(goal)]
    goals = np.append(last.value, last.resampled)
    found = np.array([_crossing(sizes, row, g) for row, g in zip(values, goals, strict=True)])
    low, high = np.quantile(found[1:], [0.025, 0.975], method="nearest")
    patients = {"value": _known(found[0]), "low": _known(low), "high": _known(high)}
    share = {name: n if n is None else n / max(goal) for name, n in patients.items()}
    return {"goal": last.value, "patients": patients, "share": share, "first": sizes[0]}


def _crossing(sizes: list[int], values: NDArray[np.float64], goal: float) -> float:
    below = np.flatnonzero(~(values >= goal))
    if not below.size:
        return float(sizes[0])
    last = int(below[-1])
    if last == len(sizes) - 1:
        return float("inf")
    ends = np.log([sizes[last], sizes[last + 1]])
    return float(np.exp(np.interp(goal, values[last : last + 2], ends)))


def _known(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None


def _fits(trials: Trials) -> Fits:
    found: Fits = {way: {} for way in WAYS}
    for way in WAYS:
        for fraction in trials.budgets:
            for draw in range(MOST_DRAWS):
                kept = trials.kept(way, (fraction, draw))
                if kept is not None:
                    found[way][fraction, draw] = kept
    return found


def _shared(fits: Fits, fraction: float) -> dict[str, dict[int, Scores]]:
    """Of each way that has some at a fraction, the draws that all of those have.

    With all labels there is one draw, fitted with one or more seeds.
    """
    found = {way: {d: kept for (f, d), kept in fits[way].items() if f == fraction} for way in fits}
    found = {way: draws for way, draws in found.items() if draws}
    if fraction == 1 or not found:
        return found
    shared = sorted(set.intersection(*(set(draws) for draws in found.values())))
    return {way: {draw: draws[draw] for draw in shared} for way, draws in found.items()}


def _resampled(
    trials: Trials, way: str, fraction: float, draws: dict[int, Scores], known: dict[Any, Crossed]
) -> Crossed:
    """The mean AUROC over draws."""
    key = (trials.name, way, fraction, tuple(draws))
    if key not in known:
        numbers = np.zeros(len(draws), np.int64) if fraction == 1 else np.array(list(draws))
        labels, patients = trials.tested.labels, trials.tested.patients
        known[key] = crossed_bootstrap(
            auroc, labels, np.stack(list(draws.values())), patients, draws=numbers, seed=0
        )
    return known[key]


def _accuracy(trials: Trials, draws: dict[int, Scores]) -> float:
    labels = trials.tested.labels
    decided = [
        kept.argmax(axis=1) if kept.ndim == 2 else (kept >= 0).astype(np.int64)
        for kept in draws.values()
    ]
    return round(float(np.mean([balanced_accuracy(labels, each) for each in decided])), 4)


def _as_dict(found: Estimate) -> dict[str, float | None]:
    values = {"value": found.value, "low": found.low, "high": found.high}
    return {name: None if each is None else round(each, 4) for name, each in values.items()}
