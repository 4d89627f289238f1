"""`seeds_told`: how far scores on the same test scans move by the seed of the training alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latentdx.metrics.folds import spread_of
from latentdx.report.fold import Fold
from latentdx.report.folds import SPREAD
from latentdx.report.predictions import Predictions, as_json

WIDE = 0.03
"""From this difference between two seeds' AUROCs on it is warned of."""


def seeds_told(
    own: Predictions, rivals: Mapping[str, Predictions], others: Sequence[Fold], seed: int
) -> dict[str, Any]:
    """The entry ``seeds`` of ``metrics.json``.

    ``spread`` holds of each metric the ``mean``, ``deviation`` (standard, between seeds), ``least``
    and ``greatest``; ``lead`` the same of the lead in AUROC over each simpler method, and of how
    many seeds the model is ``ahead``; ``each`` the seeds themselves, the run's own first.
    """
    models = [(own, rivals), *((other.predictions, other.rivals) for other in others)]
    each: list[dict[str, Any]] = [
        {
            "number": number,
            "metrics": as_json(model.metrics(seed, 0)),
            "baselines": {
                name: {"auroc": simpler.metrics(seed, 0)["auroc"].as_json()}
                for name, simpler in beside.items()
            },
        }
        for number, (model, beside) in enumerate(models, 1)
    ]
    names = [name for name in SPREAD if name in each[0]["metrics"]]
    found = {name: spread_of([one["metrics"][name]["value"] for one in each]) for name in names}
    shared = [name for name in rivals if all(name in one["baselines"] for one in each)]
    return {
        "n_seeds": len(each),
        "spread": {name: spread and spread.as_json() for name, spread in found.items()},
        "lead": {name: lead for name in shared if (lead := _lead(each, name)) is not None},
        "each": each,
    }


def seeds_sentence(told: Mapping[str, Any]) -> str:
    """What the spread says, beside what the interval says."""
    spread = told["spread"].get("auroc")
    if spread is None:
        return ""
    return (
        f"Trained with {told['n_seeds']} seeds on the same parts, the AUROC is "
        f"{spread['mean']:.3f} on average, with a standard deviation of "
        f"{spread['deviation']:.3f} (from {spread['least']:.3f} to {spread['greatest']:.3f}): "
        "chance in training, which the interval over patients does not cover."
    )


def seed_warnings(told: Mapping[str, Any]) -> list[str]:
    """Where seeds differ so much that one of them says little."""
    spread = told["spread"].get("auroc")
    if spread is None or spread["greatest"] - spread["least"] < WIDE:
        return []
    return [
        f"seeds: by chance in training alone the AUROC lies between {spread['least']:.3f} and "
        f"{spread['greatest']:.3f}: a lead smaller than that is none"
    ]


def _lead(each: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    leads = []
    for one in each:
        model = one["metrics"]["auroc"]["value"]
        simpler = one["baselines"][name]["auroc"]["value"]
        leads.append(None if model is None or simpler is None else model - simpler)
    spread = spread_of(leads)
    if spread is None:
        return None
    return {**spread.as_json(), "ahead": sum(lead is not None and lead > 0 for lead in leads)}
