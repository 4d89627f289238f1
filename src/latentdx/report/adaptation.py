"""What adapting a model to a place that it has never seen gives, for each place and over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latentdx.metrics.estimate import Estimate
from latentdx.report.fold import ADAPTED, Fold, Folded
from latentdx.report.predictions import as_json


def adapted_told(fold: Fold, seed: int) -> dict[str, Any]:
    """``adapted``: the adapted model's metrics and paired gain at a place; nothing without."""
    told = fold.rivals.get(ADAPTED)
    if told is None:
        return {}
    gain = told.lead_over(fold.predictions, seed)
    return {"adapted": {"metrics": as_json(told.metrics(seed)), "gain": gain.as_json()}}


def adaptation_told(folds: Sequence[Fold], seed: int) -> dict[str, Any]:
    """``adaptation``: what was asked for, and the mean gain over places; nothing without."""
    if ADAPTED not in folds[0].rivals:
        return {}
    numbers = [fold.number for fold in folds]
    before = Folded.of([fold.predictions for fold in folds], numbers)
    after = Folded.of([fold.rivals[ADAPTED] for fold in folds], numbers)
    gain = after.lead_over(before, seed)
    facts = [fold.facts["adaptation"] for fold in folds]
    asked, methods = facts[0]["asked"], [fact["method"] for fact in facts]
    words = before.judged_by[1].removesuffix(" within folds")
    told = {"asked": asked, "gain": gain.as_json(), "verdict": _verdict(methods, gain, words)}
    return {"adaptation": told}


def _verdict(methods: Sequence[str], gain: Estimate, words: str) -> str:
    if set(methods) == {"none"}:
        return (
            "Nothing was adapted: of the scans that the models learned from, none showed that it "
            "would help."
        )
    if gain.value is None or gain.low is None or gain.high is None:
        return "Whether adaptation helps cannot be told from so few scans."
    found = (
        f"Adapted to the scans of each place without their labels, the {words} changes by "
        f"{gain.value:+.3f} (95 % interval {gain.low:+.3f} to {gain.high:+.3f})"
    )
    if gain.low > 0:
        return f"{found}: it helps."
    return f"{found}: {'it harms' if gain.high < 0 else 'it is not sure that it helps'}."


def adapted_sentences(
    method: str, sites: Sequence[Mapping[str, Any]], fewest: int
) -> tuple[str, ...]:
    """That a model was adapted to the scans of an evaluation; `sites` where they were told apart.

    Examples
    --------
    >>> sites = [{"name": "north", "n_scans": 80, "adapted": True},
    ...          {"name": "south", "n_scans": 6, "adapted": False}]
    >>> adapted_sentences("coral", sites, 10)[1]
    'Left as they are, as a site is known by 10 scans or more: south (6).'
    """
    if not sites:
        return (
            f"Adapted to these scans without their labels by '{method}'; every number here but "
            "this one is of the model as it is.",
        )
    done, rest = ([one for one in sites if one["adapted"] is is_done] for is_done in (True, False))
    found = (
        f"Adapted to the scans of {len(done)} sites, each by itself, without their labels by "
        f"'{method}': {_counted(done)}; every number here but this one is of the model as it is."
    )
    if not rest:
        return (found,)
    return (found, f"Left as they are, as a site is known by {fewest} scans or more: "
            f"{_counted(rest)}.")  # fmt: skip


def _counted(sites: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['name'] or 'not known'} ({one['n_scans']})" for one in sites)


def distance_sentences(told: Mapping[str, Any] | None) -> tuple[str, ...]:
    """How far the site's scans lie from the model's own, before and after, in words.

    Examples
    --------
    >>> distance_sentences({"before": {"value": 0.31, "p": 0.0005},
    ...                     "after": {"value": 0.002, "p": 0.4}})
    ("By the features that the classifier reads most, they lay 0.310 from scans of the model's \
own that it held out (squared maximum mean discrepancy, p 0.0005), and once adapted 0.002 \
(p 0.4000). Lying closer does not say that answers are better.",)
    """
    before, after = ((told or {}).get(name) for name in ("before", "after"))
    if not before or not after:
        return ()
    return (
        "By the features that the classifier reads most, they lay "
        f"{before['value']:.3f} from scans of the model's own that it held out (squared maximum "
        f"mean discrepancy, p {before['p']:.4f}), and once adapted {after['value']:.3f} "
        f"(p {after['p']:.4f}). Lying closer does not say that answers are better.",
    )


def _moved(told: Mapping[str, Any]) -> str:
    """``before > after``; ``""`` where distances are not known."""
    distance = told.get("distance") or {}
    ends = [distance[name] for name in ("before", "after") if distance.get(name)]
    return " > ".join(f"{end['value']:.3f}" for end in ends) if len(ends) == 2 else ""


def adaptation_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, Any, Any, str]]:
    """Of each place that was adapted to: its name, the method, AUROC and gain as estimates.

    Last its squared discrepancy from scans of the model's own that it held out, before and after.
    """
    told = (metrics.get("left_out") or {}).get("each") or []
    return [
        (
            str(one["name"]),
            str(one["adaptation"]["method"]),
            one["adapted"]["metrics"].get("auroc"),
            one["adapted"]["gain"],
            _moved(one["adaptation"]),
        )
        for one in told
        if "adapted" in one
    ]
