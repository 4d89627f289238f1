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
        by_way = {way: _draws(fits[way], fraction) for way in WAYS}
        of = {way: _resampled(trials, way, fraction, each, known) for way, each in by_way.items()}
        curves_at = {way: found for way, found in of.items() if found is not None}
        for way, found in curves_at.items():
            curves[way][sum(counts)] = found
        told["points"].append(
            {
                "fraction": fraction,
                "patients": list(counts),
                "scans": len(trials.rows((fraction, 0))),
                "ways": {
                    way: {
                        "auroc": _as_dict(found.estimate()),
                        "balanced_accuracy": _accuracy(trials, by_way[way]),
                        "draws": len(by_way[way]),
                    }
                    for way, found in curves_at.items()
                },
                "latentdx minus": _differences(trials, fraction, by_way, known),
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


def _draws(fits: dict[Point, Scores], fraction: float) -> dict[int, Scores]:
    return {draw: kept for (of, draw), kept in fits.items() if of == fraction}


def _resampled(
    trials: Trials,
    way: str,
    fraction: float,
    draws: dict[int, Scores],
    known: dict[Any, Crossed],
) -> Crossed | None:
    """The mean over draws; with all labels there is one draw, however often it was fitted."""
    if not draws:
        return None
    key = (trials.name, way, fraction, tuple(draws))
    if key not in known:
        numbers = np.zeros(len(draws), np.int64) if fraction == 1 else np.array(list(draws))
        labels, patients = trials.tested.labels, trials.tested.patients
        known[key] = crossed_bootstrap(
            auroc, labels, np.stack(list(draws.values())), patients, draws=numbers, seed=0
        )
    return known[key]


def _differences(
    trials: Trials,
    fraction: float,
    by_way: dict[str, dict[int, Scores]],
    known: dict[Any, Crossed],
) -> dict[str, Any]:
    """Latentdx minus each other way, on the draws that both have."""
    told, ours = {}, by_way[LATENTDX]
    for way, theirs in by_way.items():
        shared = [draw for draw in ours if draw in theirs]
        if way == LATENTDX or not shared:
            continue
        both = []
        for each, draws in ((LATENTDX, ours), (way, theirs)):
            chosen = draws if fraction == 1 else {draw: draws[draw] for draw in shared}
            both.append(_resampled(trials, each, fraction, chosen, known))
        assert both[0] is not None
        assert both[1] is not None
        told[way] = {**_as_dict(both[0].minus(both[1])), "draws": len(shared)}
    return told


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
