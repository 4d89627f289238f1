"""Class shares estimated without labels, for ``metrics.json`` and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentdx.diagnosis.label_shift import LabelShift
from latentdx.report.card import number
from latentdx.report.drift import SIZES

_WAYS = (("bbse", 1), ("em", 2))
_REASONS = {
    "together": "scans are decided together.",
    "the bundle": "the bundle keeps no reference.",
    "labels": "the bundle keeps no labels of its reference. Make it again by latentdx fit.",
    "fewer": "there are too few patients.",
    "unknown": "decisions hardly tell the classes apart.",
    "disagree": "the two estimates of the shares differ by more than chance.",
    "scores": "the scores are no mixture of those of held-out scans: more than the shares has "
    "changed.",
    "drift": "the scans differ by more than the shares explain.",
    "none": "no shift of the shares is shown.",
}


def shares_told(shift: LabelShift, classes: Sequence[str]) -> dict[str, Any]:
    """``shares`` by class: among held-out patients and, by both ways, here; ``p_scores``."""
    ends = {name: shift.ends(way) for name, way in _WAYS}
    values = {"bbse": shift.bbse, "em": shift.em}
    shares = {
        label: {
            "held_out": float(shift.source[k]),
            **{name: _estimate(values[name][k], *ends[name][:, k]) for name, _ in _WAYS},
        }
        for k, label in enumerate(classes)
    }
    return {"shares": shares, "p_scores": shift.p}


def _estimate(*found: float) -> dict[str, float | None]:
    numbers = (float(one) if np.isfinite(one) else None for one in found)
    return dict(zip(("value", "low", "high"), numbers, strict=True))


def more_than_shares(shift: LabelShift, drift: Mapping[str, Any]) -> str | None:
    """Why the drift of pixels, embeddings and scores is more than the shares explain, or None.

    Where nothing but shares changed, by a total variation v, no rule tells the two sides apart with
    a higher AUROC than 1 - (1 - v)^2 / 2. v is the highest that resamples of the shares allow.
    """
    gaps = np.abs(shift.resampled[:, 2] - shift.resampled[:, 0]).sum(axis=1) / 2
    bound = 1 - (1 - float(np.quantile(gaps, 0.975))) ** 2 / 2
    for test in drift.get("tests", ()):
        if test["by"] == "auroc" and test["size"] != SIZES[0] and test["effect"] > bound:
            return f"drift: {test['of']} differ by more than the shares explain"
    return None


def shift_sentences(told: Mapping[str, Any]) -> list[str]:
    """What was estimated and whether probabilities go by it, a sentence each.

    Examples
    --------
    >>> shift_sentences({"corrected": False, "reason": "fewer than 20 patients"})
    ['Probabilities are not corrected for class shares: there are too few patients.']
    """
    shares = list(told.get("shares", {}).items())
    found = [_share(label, one) for label, one in (shares[1:] if len(shares) == 2 else shares)]
    reason = told["reason"]
    if reason is not None:
        texts = [text for start, text in _REASONS.items() if reason.startswith(start)]
        return [*found, f"Probabilities are not corrected for class shares: {texts[0]}"]
    change = told.get("differences", {}).get("brier", {})
    if change.get("low") is None:
        return [*found, "Probabilities corrected for these class shares are told beside."]
    value, low, high = (f"{change[name]:+.3f}" for name in ("value", "low", "high"))
    found.append(
        f"With probabilities corrected for these class shares the Brier score changes by {value} "
        f"(95 % interval {low} to {high}; below 0 is better); every other number here is of the "
        "model as it is."
    )
    return found


def _share(label: str, one: Mapping[str, Any]) -> str:
    em, by_decisions = one["em"], one["bbse"]
    told = f"Share of {label} here, estimated without labels: {_ends(em)} by EM"
    if by_decisions["value"] is not None:
        told += f", {_ends(by_decisions)} by BBSE"
    return f"{told}; {number(one['held_out'])} among held-out patients."


def _ends(one: Mapping[str, Any]) -> str:
    return f"{number(one['value'])} ({number(one['low'])} to {number(one['high'])})"
