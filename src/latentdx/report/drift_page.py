"""The page of an evaluation without labels: what was decided, and how the scans differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.report.card import number, plural
from latentdx.report.choice_page import Page, Section, rendered
from latentdx.report.drift_words import drift_rows, drift_sentences
from latentdx.report.label_shift import shift_sentences

HEADER = ("compared", "difference", "how far apart", "p, corrected")
_NOTE = (
    "p-values are corrected for their number (Holm); how far apart: see the documentation of "
    "evaluations."
)


def drift_page(name: str, metrics: Mapping[str, Any]) -> str:
    """``report.html`` of a collection without labels, from its ``metrics.json``."""
    decided = _predicted(metrics) if "predicted" in metrics else _decisions(metrics)
    compared = Section("Compared", "", HEADER, drift_rows(metrics["drift"]), _NOTE)
    seen = (metrics.get("seen") or {}).get("sentences", [])
    lead = " ".join([*drift_sentences(metrics["drift"]), *seen, *_shares(metrics)])
    sections = [decided, *_rules(metrics), compared]
    return rendered(Page("evaluate", name, lead, metrics["warnings"][0], sections))


def _shares(metrics: Mapping[str, Any]) -> list[str]:
    return shift_sentences(metrics["label_shift"]) if "label_shift" in metrics else []


def _rules(metrics: Mapping[str, Any]) -> list[Section]:
    """Which rules of the user's hold back how many; none where there are no rules."""
    told = metrics.get("rules")
    if told is None:
        return []
    total, counted = max(1, metrics["n_scans"]), plural(metrics.get("decide_by"))
    counts = [(rule["text"], rule["n_scans"]) for rule in told["rules"]]
    rows = [
        (text, f"{count:,}", f"{100 * count / total:.0f} %")
        for text, count in (*counts, ("any of them", told["n_held_back"]))
    ]
    return [Section("Rules", "", ("no answer by", counted, "share"), rows, "")]


def _decisions(metrics: Mapping[str, Any]) -> Section:
    total, counted = max(1, metrics["n_scans"]), plural(metrics.get("decide_by"))
    rows = [
        (label, f"{n_scans:,}", f"{100 * n_scans / total:.0f} %")
        for label, n_scans in metrics["decisions"].items()
    ]
    return Section("Decisions", "", ("decision", counted, "share"), rows, "")


def _predicted(metrics: Mapping[str, Any]) -> Section:
    counted, unit = plural(metrics.get("decide_by")), metrics["units"]
    rows = [(name, number(value)) for name, value in metrics["predicted"].items()]
    rows.append((counted, f"{metrics['n_scans']:,}"))
    return Section("Predictions", "", ("", f"value ({unit})" if unit else "value"), rows, "")
