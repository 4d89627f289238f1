"""`folds_told`: what a cross-validation says, over all folds and fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentdx.metrics.folds import spread_of
from latentdx.report.abstention import answering
from latentdx.report.fold import WITHIN, Fold, Folded
from latentdx.report.predictions import as_json
from latentdx.report.verdict import verdict

SPREAD = (
    "quadratic_kappa", "grade_error", "auroc", "average_precision", "balanced_accuracy",
    "sensitivity", "specificity", "accuracy", "brier", "log_loss", "ece",
)  # fmt: skip
"""The metrics of which the spread over folds is told, where there are such."""
SPREAD_WIDE = 0.15
"""From this difference of two folds' AUROCs on it is warned of."""


def folds_told(
    folds: Sequence[Fold], seed: int, *, coverage: float, prevalence: float | None, counted: str
) -> dict[str, Any]:
    """The entry ``folds`` of ``metrics.json``.

    ``pooled`` holds the metrics of all scans, each scored by the model that has not seen its
    patient, ``auroc_within_folds`` the mean of the folds' AUROCs, ``baselines`` both of simpler
    methods, ``spread`` how much folds differ, ``each`` the folds themselves, ``verdict`` the
    sentence on the autoencoder. `coverage` is what prediction sets promise, `counted` what is
    counted.
    """
    numbers = [fold.number for fold in folds]
    model = Folded.of([fold.predictions for fold in folds], numbers)
    rivals = {
        name: Folded.of([fold.rivals[name] for fold in folds], numbers)
        for name in _rivals_of_all(folds)
    }
    together, own = model.predictions, model.metrics(seed)
    within = own.pop(WITHIN)
    each = [_told(fold, seed) for fold in folds]
    sets = np.concatenate([fold.sets for fold in folds])
    return {
        "n_folds": len(folds),
        "pooled": as_json({**own, **together.further(seed, prevalence=prevalence)}),
        WITHIN: within.as_json(),
        "abstention": answering(sets, together.labels, together.patients, seed, coverage=coverage),
        "baselines": {name: as_json(rival.metrics(seed)) for name, rival in rivals.items()},
        "spread": _spread([fold["metrics"] for fold in each]),
        "each": each,
        "verdict": verdict(model, rivals, seed, counted),
    }


def fold_warnings(told: Mapping[str, Any]) -> list[str]:
    """Where folds differ so much that one split says little."""
    spread = told["spread"].get("auroc")
    if spread is None or spread["greatest"] - spread["least"] < SPREAD_WIDE:
        return []
    return [
        f"folds: the AUROC lies between {spread['least']:.3f} and {spread['greatest']:.3f}, by who "
        "is tested and who is learned from: the number of one split says little"
    ]


def _rivals_of_all(folds: Sequence[Fold]) -> list[str]:
    """Baselines that every fold has: metadata may be the label in other words in one of them."""
    return [name for name in folds[0].rivals if all(name in fold.rivals for fold in folds)]


def _told(fold: Fold, seed: int) -> dict[str, Any]:
    return {
        "fold": fold.number,
        **fold.facts,
        "metrics": as_json(fold.predictions.metrics(seed)),
        "baselines": {
            name: {"auroc": rival.metrics(seed, 0)["auroc"].as_json()}
            for name, rival in fold.rivals.items()
        },
    }


def _spread(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for name in SPREAD if name in each[0]]
    found = {name: spread_of([metrics[name]["value"] for metrics in each]) for name in names}
    return {name: spread and spread.as_json() for name, spread in found.items()}
