"""Two runs that left places out: how each did at those that its models had never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.bootstrap import Statistic
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.folds import folded
from latentdx.study.paired_runs import FEWEST_SHARED, estimated, probabilities
from latentdx.study.told_run import ToldRun

PLACE = "left_out"
WITHIN = "within places"


def differences_at_places(
    first: ToldRun, second: ToldRun, n_resamples: int
) -> dict[str, Any] | None:
    """AUROCs of both, ``within places`` (their mean) and at each, paired over patients.

    On the scans that both tested at the same place. None where a run left nothing out, or they
    share fewer than half of the larger one's.
    """
    ours, theirs = first.left_out, second.left_out
    shared = sorted(
        scan for scan in ours.keys() & theirs.keys() if _where(ours[scan]) == _where(theirs[scan])
    )
    if not shared or len(shared) < FEWEST_SHARED * max(len(ours), len(theirs)):
        return None
    places = np.array([ours[scan][PLACE] for scan in shared])
    patients = [ours[scan]["patient"] for scan in shared]
    names = [WITHIN, *dict.fromkeys(sorted(places.tolist()))]
    sides = [_areas(run, shared, places, names[1:], first.classes) for run in (first, second)]
    found = estimated(names, sides, patients, first.seed, n_resamples)
    told = {name: each.as_json() for name, each in found.items()}
    for name in names[1:]:
        own = [patient for patient, place in zip(patients, places, strict=True) if place == name]
        for estimate in told[name].values():
            estimate |= {"n_scans": len(own), "n_patients": len(set(own))}
    return {
        "places": names[1:],
        "n_scans": len(shared),
        "n_patients": len(set(patients)),
        "auroc": told,
    }


def _where(row: Any) -> tuple[str, str]:
    return row[PLACE], row["label"]


def _areas(
    run: ToldRun, scans: list[str], places: NDArray[np.str_], names: list[str],
    classes: tuple[str, ...],
) -> Statistic:  # fmt: skip
    rows = [run.left_out[scan] for scan in scans]
    numbers = {name: k for k, name in enumerate(classes)}
    labels = np.array([numbers[row["label"]] for row in rows], np.int64)
    told = probabilities(rows, classes)
    scores = told[:, 1] if len(classes) == 2 else told
    of = [folded(auroc, labels, scores, places)]
    for name in names:
        own = np.flatnonzero(places == name)
        of.append(_at(own, folded(auroc, labels[own], scores[own], places[own])))

    def statistic(drawn: NDArray[Any]) -> NDArray[np.float64]:
        return np.concatenate([each(drawn) for each in of], axis=1)

    return statistic


def _at(rows: NDArray[np.int64], statistic: Statistic) -> Statistic:
    return lambda drawn: statistic(drawn[:, rows])
