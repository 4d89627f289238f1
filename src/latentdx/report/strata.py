"""Hidden strata: kinds of test scans, found without labels, in which the model errs more often.

A mean over the test part hides them (Oakden-Rayner and others, CHIL 2020). Scans are grouped by
k-means on the head's features, by which nothing of labels or errors is known; each group's share of
errors is compared with that of the others by permutation of patients, corrected by Holm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.permutation import holm, permuted_p
from latentdx.report.predictions import Predictions

Floats = NDArray[np.float64]

LEVEL = 0.05
PATIENTS_PER_GROUP = 25
MOST_GROUPS = 8
FEWEST_ERRORS = 5
PERMUTATIONS = 1999
_SHOWN = 4
_RESAMPLES = 1000


@dataclass(frozen=True)
class Strata:
    """What is told of the groups, and rows of the test part that show those that fail."""

    told: dict[str, Any]
    shown: tuple[NDArray[np.int64], ...] = ()


def strata_of(features: Floats, predictions: Predictions, seed: int) -> Strata:
    """Groups of the test scans by features (N, E), the one of most errors first.

    ``groups`` holds of each its ``error`` (share of scans decided wrongly, with its interval),
    ``p_corrected``, and whether it ``fails``: more errors than the others, by more than chance.
    Where test has fewer than 50 patients or 5 errors, ``reason`` says so.
    """
    wrong = predictions.decisions != predictions.labels
    patients = np.unique(predictions.patients, return_inverse=True)[1]
    n_groups = min(MOST_GROUPS, (int(patients.max(initial=-1)) + 1) // PATIENTS_PER_GROUP)
    if n_groups < 2 or wrong.sum() < FEWEST_ERRORS:
        return Strata({"groups": [], "reason": "too few patients or errors"})
    groups, centres = _grouped(features, n_groups, seed)
    p_values = [_p(groups == k, wrong, patients, seed) for k in range(n_groups)]
    found = []
    for k, p in enumerate(holm(p_values).tolist()):
        rows = np.flatnonzero(groups == k)
        told = _told(predictions, rows, wrong, seed)
        nearest = rows[np.argsort(((features[rows] - centres[k]) ** 2).sum(axis=1), kind="stable")]
        shown = nearest[wrong[nearest]][:_SHOWN]
        found.append(({**told, "p_corrected": p, "fails": p <= LEVEL}, shown))
    found.sort(key=lambda group: -group[0]["error"]["value"])
    return Strata(
        {"error": float(wrong.mean()), "groups": [told for told, _ in found]},
        tuple(shown for told, shown in found if told["fails"]),
    )


def _grouped(features: Floats, n_groups: int, seed: int) -> tuple[NDArray[np.int64], Floats]:
    from sklearn.cluster import KMeans

    state = derive_seed(seed, "strata") % 2**32
    means = KMeans(n_groups, n_init=10, random_state=state).fit(features)
    return means.labels_.astype(np.int64), means.cluster_centers_.astype(np.float64)


def _p(
    inside: NDArray[np.bool_], wrong: NDArray[np.bool_], patients: NDArray[np.int64], seed: int
) -> float:
    """Are there more errors inside? Each patient counts by the shares inside and wrong."""
    n_scans = np.bincount(patients)
    share_in = np.bincount(patients, inside) / n_scans
    share_wrong = np.bincount(patients, wrong) / n_scans
    weights = share_in / max(share_in.sum(), 1e-12)
    generator = numpy_generator(seed, "strata")

    def draw(count: int) -> Floats:
        permuted = generator.permuted(np.tile(share_wrong, (count, 1)), axis=1)
        found: Floats = permuted @ weights
        return found

    return permuted_p(float(share_wrong @ weights), draw, PERMUTATIONS)


def _told(
    predictions: Predictions, rows: NDArray[np.int64], wrong: NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    column = wrong[rows].astype(np.float64)

    def statistic(weights: NDArray[Any]) -> Floats:
        found: Floats = (weights @ column / weights.sum(axis=1))[:, None]
        return found

    generator = numpy_generator(seed, "bootstrap")
    estimate = bootstrap(
        statistic, predictions.patients[rows], generator=generator, n_resamples=_RESAMPLES
    )[0]
    counts = np.bincount(predictions.labels[rows], minlength=predictions.probabilities.shape[1])
    return {"labels": counts.tolist(), "error": estimate.as_json()}


def strata_warnings(told: dict[str, Any]) -> list[str]:
    """One warning where groups of scans fail.

    Examples
    --------
    >>> strata_warnings({"groups": [{"fails": True}, {"fails": False}]})
    ['hidden groups: 1 of 2 groups of alike scans is decided wrongly more often than the others']
    """
    n_failing = sum(group["fails"] for group in told["groups"])
    if not n_failing:
        return []
    verb = "is" if n_failing == 1 else "are"
    return [
        f"hidden groups: {n_failing} of {len(told['groups'])} groups of alike scans {verb} decided "
        "wrongly more often than the others"
    ]
