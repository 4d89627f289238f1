"""What was found of shortcuts, as findings of the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from latentdx.collection.audit import Audit, Finding, Severity
from latentdx.features.probe_columns import ORDER, WORDS
from latentdx.features.shortcuts import Nature, Probed, Shortcuts, strongest_first

SHORTCUT, CONFOUND = "shortcut", "confound"
LABEL_IN_PATH, BURNED_IN, ORDER_IN_TIME = "label-in-path", "burned-in-text", "order-in-time"

_KINDS: Mapping[Nature, tuple[str, Severity, str]] = {
    "gathering": (SHORTCUT, "warning", "a model may tell how scans were gathered, not the disease"),
    "outside": (
        SHORTCUT,
        "warning",
        "markers, text, collimation or format may tell it, and a model may learn these",
    ),
    "marks": (BURNED_IN, "warning", "letters or markers differ between the classes"),
    "path": (LABEL_IN_PATH, "warning", "whoever sees the names may see the label"),
    "day": (ORDER_IN_TIME, "warning", "classes were gathered at different times"),
    "person": (CONFOUND, "info", "it may be a cause, or tell who was scanned"),
    "whole": (CONFOUND, "info", "it may be the disease itself, or how scans were made"),
}


def with_shortcuts(found: Audit, shortcuts: Shortcuts) -> Audit:
    """The audit with its findings on shortcuts behind all others."""
    return Audit((*found.findings, *shortcut_findings(shortcuts)))


def shortcut_findings(shortcuts: Shortcuts) -> Iterator[Finding]:
    """One finding for each flagged column or part of the picture, the strongest first.

    Warnings come before what is only worth knowing. Nothing here makes a score invalid.
    """
    told = [_finding(each) for each in strongest_first(shortcuts.probed)]
    yield from sorted(told, key=lambda finding: finding.severity != "warning")
    for name in shortcuts.same:
        text = f"the column {name!r} is the label in other words: no model may read it"
        yield Finding(CONFOUND, "info", 1, text)


def _finding(each: Probed) -> Finding:
    code, severity, why = _KINDS[each.nature]
    area = each.auroc
    ends = "" if area.low is None else f" (95 % interval {area.low:.3f} to {area.high:.3f})"
    text = f"{_title(each)} alone tells the label: AUROC {area.value:.3f}{ends}; {why}"
    return Finding(code, severity, area.n_patients, text)


def _title(each: Probed) -> str:
    if each.name == ORDER:
        return "the order of patients, by the number in their files' names,"
    if each.name == WORDS:
        return "which words are in a file's path"
    if each.about == "pixels":
        return f"of the pictures, {each.name!r}"
    return f"the column {each.name!r}"
