"""Hidden strata: kinds of test scans, found without labels, in which the model errs more.

A mean over the test part hides them (Oakden-Rayner and others, CHIL 2020). Scans are grouped by
k-means on the head's features, by which nothing of labels or errors is known; each group's mean
error (the share decided wrongly, of several findings that of their answers; of numbers the mean
absolute error) is compared with that of the others by permutation of patients, corrected by Holm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.permutation import holm, permuted_p

Floats = NDArray[np.float64]

LEVEL = 0.05
PATIENTS_PER_GROUP = 25
MOST_GROUPS = 8
FEWEST_ERRORS = 5
PERMUTATIONS = 1999
_SHOWN = 4
_RESAMPLES = 1000


class Erring(Protocol):
    """What is said of the test part, as far as its errors are grouped."""

    @property
    def patients(self) -> NDArray[np.str_]:
        """(N,), by whom intervals are drawn."""

    @property
    def errors(self) -> Floats:
        """(N,), 0 where nothing is wrong."""

    def counts(self) -> list[int]:
        """How many scans have each label, if any."""

    def take(self, rows: NDArray[Any]) -> Self:
        """The scans at these numbers."""


@dataclass(frozen=True)
class Strata:
    """What is told of the groups, and rows of the test part that show those that fail."""

    told: dict[str, Any]
    shown: tuple[NDArray[np.int64], ...] = ()


def strata_of(features: Floats, predictions: Erring, seed: int) -> Strata:
    """Groups of the test scans by features (N, E), the one of the largest error first.

    ``groups`` holds of each its mean ``error`` with its interval, ``p_corrected``, and whether it
    ``fails``: it errs more than the others, by more than chance. Where test has fewer than 50
    patients or 5 errors, ``reason`` says so.
    """
    errors = predictions.errors
    large = (errors > 0) & (errors >= errors.mean())
    patients = np.unique(predictions.patients, return_inverse=True)[1]
    n_groups = min(MOST_GROUPS, (int(patients.max(initial=-1)) + 1) // PATIENTS_PER_GROUP)
    if n_groups < 2 or large.sum() < FEWEST_ERRORS:
        return Strata({"groups": [], "reason": "too few patients or errors"})
    groups, centres = _grouped(features, n_groups, seed)
    p_values = [_p(groups == k, errors, patients, seed) for k in range(n_groups)]
    found = []
    for k, p in enumerate(holm(p_values).tolist()):
        rows = np.flatnonzero(groups == k)
        told = _told(predictions.take(rows), seed)
        nearest = rows[np.argsort(((features[rows] - centres[k]) ** 2).sum(axis=1), kind="stable")]
        shown = nearest[large[nearest]][:_SHOWN]
        found.append(({**told, "p_corrected": p, "fails": p <= LEVEL}, shown))
    found.sort(key=lambda group: -group[0]["error"]["value"])
    return Strata(
        {"error": float(errors.mean()), "groups": [told for told, _ in found]},
        tuple(shown for told, shown in found if told["fails"]),
    )


def _grouped(features: Floats, n_groups: int, seed: int) -> tuple[NDArray[np.int64], Floats]:
    from sklearn.cluster import KMeans

    state = derive_seed(seed, "strata") % 2**32
    means = KMeans(n_groups, n_init=10, random_state=state).fit(features)
    return means.labels_.astype(np.int64), means.cluster_centers_.astype(np.float64)


def _p(inside: NDArray[np.bool_], errors: Floats, patients: NDArray[np.int64], seed: int) -> float:
    """Is the error larger inside? Each patient counts by the share inside and the mean error."""
    n_scans = np.bincount(patients)
    share_in = np.bincount(patients, inside) / n_scans
    own = np.bincount(patients, errors) / n_scans
    weights = share_in / max(share_in.sum(), 1e-12)
    generator = numpy_generator(seed, "strata")

    def draw(count: int) -> Floats:
        permuted = generator.permuted(np.tile(own, (count, 1)), axis=1)
        found: Floats = permuted @ weights
        return found

    return permuted_p(float(own @ weights), draw, PERMUTATIONS)


def _told(group: Erring, seed: int) -> dict[str, Any]:
    column = group.errors

    def statistic(weights: NDArray[Any]) -> Floats:
        found: Floats = (weights @ column / weights.sum(axis=1))[:, None]
        return found

    generator = numpy_generator(seed, "bootstrap")
    estimate = bootstrap(statistic, group.patients, generator=generator, n_resamples=_RESAMPLES)[0]
    return {"labels": group.counts(), "error": estimate.as_json()}


def strata_warnings(told: dict[str, Any], *, are_numbers: bool = False) -> list[str]:
    """One warning where groups of scans fail.

    Examples
    --------
    >>> strata_warnings({"groups": [{"fails": True}, {"fails": False}]})
    ['hidden groups: 1 of 2 groups of alike scans is decided wrongly more often than the others']
    """
    n_failing = sum(group["fails"] for group in told["groups"])
    if not n_failing:
        return []
    is_one = n_failing == 1
    does = f"{'is' if is_one else 'are'} decided wrongly more often than the others"
    if are_numbers:
        does = f"{'has' if is_one else 'have'} larger errors than the others"
    return [f"hidden groups: {n_failing} of {len(told['groups'])} groups of alike scans {does}"]
