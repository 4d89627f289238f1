"""`render_value_card`: the model card in the bundle of a model of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.report.alignment import alignment_section, focus_section, looks_section
from latentdx.report.ancestry import transfer_section
from latentdx.report.card import (
    BASELINE_NAMES,
    count,
    field_of,
    how_made,
    interval,
    markdown,
    number,
    plural,
    table_of,
)
from latentdx.report.checklist_text import checklists_section
from latentdx.report.shortcut_card import shortcut_section
from latentdx.report.value_content import ValueContent
from latentdx.report.value_words import METRIC_NAMES, VALUE_LIMITS, with_unit

_FRONT = """---
license: other
license_name: unspecified
library_name: latentdx
tags: [medical-imaging, autoencoder, few-labels, regression, latentdx]
---"""
_CODE = (
    "```python\nfrom latentdx import load_bundle\n\n"
    'load_bundle("bundle").predict(["scan.dcm"])\n```'
)


def render_value_card(content: ValueContent, bundle: Mapping[str, Any], more: str = "") -> str:
    """Markdown with YAML front matter: counts and numbers only; `more` are sections of others'."""
    unit = f", in {markdown(content.units)}" if content.units else ""
    invalid = f"> **INVALID: do not use these scores.** {markdown(content.invalid or '')}"
    sections = [
        _FRONT,
        f"# latentdx model: {markdown(content.name)}",
        invalid if content.invalid else "",
        f"It predicts a number from a scan{unit}. An autoencoder learned from scans without "
        f"labels, a machine from its features.\n\n{markdown(content.verdict)}",
        "## Intended use\n\nResearch on scans of the kind it was trained on. "
        + " ".join(map(markdown, content.decided))
        + f" Each answer comes with its interval and an anomaly score.\n\n{_CODE}",
        _training_data(content),
        _evaluation(content),
        _baselines(content),
        shortcut_section(content.metrics),
        transfer_section(content.metrics),
        alignment_section(content.metrics),
        looks_section(content.metrics),
        focus_section(content.metrics),
        more,
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in VALUE_LIMITS),
        checklists_section(content),
        how_made(bundle),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _training_data(content: ValueContent) -> str:
    rows = []
    for part, facts in content.parts.items():
        middle = "" if facts.values is None else number(facts.values[1])
        rows.append((part, count(facts.n_scans), count(facts.n_patients), middle))
    table = table_of(("part", "scans", "patients", "median value"), rows)
    return (
        "## Training data\n\nParts share no patient unless a warning above says so; scores are of "
        f"`test` alone.\n\n{table}"
    )


def _evaluation(content: ValueContent) -> str:
    test = field_of(content.metrics, "test")
    rows = [
        (with_unit(title, name, content.units), number(field_of(test, name, "value")),
         interval(field_of(test, name)))
        for name, title in METRIC_NAMES.items()
    ]  # fmt: skip
    covered = field_of(content.metrics, "intervals", "coverage")
    rows.append(("Values within their intervals", number(field_of(covered, "value")),
                 interval(covered)))  # fmt: skip
    n_scans, n_patients = (field_of(test, "mae", of) for of in ("n_scans", "n_patients"))
    counted = plural(field_of(content.metrics, "decide_by"))
    counts = f"{count(n_scans)} {counted} of {count(n_patients)} patients"
    table = table_of(("metric", "value", "95 % interval"), rows)
    return f"## Evaluation\n\nOn {counts} of the test part.\n\n{table}"


def _baselines(content: ValueContent) -> str:
    rivals = {
        name: values
        for group in ("baselines", "controls")
        for name, values in (field_of(content.metrics, group) or {}).items()
    }
    rows = [
        (BASELINE_NAMES.get(name, name), number(field_of(values, "mae", "value")),
         interval(field_of(values, "mae")), number(field_of(values, "r2", "value")))
        for name, values in rivals.items()
    ]  # fmt: skip
    head = ("on the same scans", "mean absolute error", "95 % interval", "R2")
    return f"## Baselines and controls\n\n{table_of(head, rows)}" if rows else ""
