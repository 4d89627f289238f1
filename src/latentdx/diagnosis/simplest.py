"""What cross-validation takes: the simplest strength, a later form only where it is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.machine import Ints

TUNING_SCANS = 1500
FOLDS = 5
FEWEST_TO_CHOOSE = 50
"""Scans: below, folds cannot tell forms of features apart."""


def simplest(losses: NDArray[np.float64]) -> int:
    """Of losses (strengths, folds), the first within one standard error of the best."""
    means = losses.mean(axis=1)
    best = int(means.argmin())
    limit = means[best] + losses[best].std(ddof=1) / np.sqrt(losses.shape[1])
    return int(np.flatnonzero(means <= limit)[0])


def is_better(losses: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
    """By more than one standard error, each at its best strength."""
    best = [each[each.mean(axis=1).argmin()] for each in (losses, before)]
    gain = best[1] - best[0]
    return bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def tuning_rows(groups: NDArray[np.generic], seed: int) -> Ints:
    """Whole patients until there are enough scans."""
    names = np.unique(groups)
    np.random.default_rng(derive_seed(seed, "tuning")).shuffle(names)
    place = {name: index for index, name in enumerate(names.tolist())}
    order = np.argsort([place[name] for name in groups.tolist()], kind="stable")
    return np.sort(order[:TUNING_SCANS])
