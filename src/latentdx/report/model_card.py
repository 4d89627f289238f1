"""`render_card`: the model card that travels in a bundle.

The card is Markdown with YAML front matter, as Hugging Face reads it. It holds counts and numbers
only: no path, no covariate, nothing of a patient.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latentdx.report.alignment import alignment_section, focus_section, looks_section
from latentdx.report.ancestry import transfer_section
from latentdx.report.card import (
    BASELINE_NAMES,
    LIMITS,
    count,
    field_of,
    how_made,
    interval,
    known_number,
    markdown,
    metric_names,
    number,
    plural,
    printable,
    table_of,
)
from latentdx.report.checklist_text import checklists_section
from latentdx.report.findings_content import CardContent
from latentdx.report.fold_card import folds_section
from latentdx.report.left_out_page import left_out_section
from latentdx.report.private_card import private_section
from latentdx.report.seed_page import seeds_section

_HUB_TYPES = {"auroc": "roc_auc", "accuracy": "accuracy", "brier": "brier_score", "f1": "f1"}


def render_card(content: CardContent, bundle: Mapping[str, Any], more: str = "") -> str:
    """The model card of a bundle, as Markdown with YAML front matter.

    Parameters
    ----------
    content: the evaluation; its counts and numbers are shown, its paths are not.
    bundle: the bundle's JSON; only a fixed list of technical entries is shown.
    more: a section behind the evaluation.
    """
    sections = [
        _front_matter(content),
        f"# latentdx model: {markdown(content.name)}",
        _invalid(content),
        _summary(content),
        _use(content),
        _training_data(content),
        private_section(content.metrics),
        _evaluation(content),
        more,
        folds_section(content.metrics),
        seeds_section(content.metrics),
        left_out_section(content.metrics),
        _baselines(content),
        _features(content),
        transfer_section(content.metrics),
        alignment_section(content.metrics),
        looks_section(content.metrics),
        focus_section(content.metrics),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in LIMITS),
        checklists_section(content),
        how_made(bundle),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(content: CardContent) -> str:
    lines = [
        "license: other",
        "license_name: unspecified",
        "library_name: latentdx",
        "pipeline_tag: image-classification",
        "tags:",
        *(f"- {tag}" for tag in ("medical-imaging", "autoencoder", "few-labels", "latentdx")),
    ]
    results = [] if content.invalid else _results(content)
    if results:
        lines += ["model-index:", f"- name: {_yaml(content.name)}", "  results:"]
        lines += ["  - task:", "      type: image-classification", "    dataset:"]
        lines += [f"      name: {_yaml(content.name)}", '      type: "private"', "    metrics:"]
    return "\n".join(["---", *lines, *results, "---"])


def _results(content: CardContent) -> list[str]:
    lines = []
    for name, title in metric_names(content.metrics).items():
        value = known_number(field_of(content.metrics, "test", name, "value"))
        if value is not None:
            kind = _HUB_TYPES.get(name, name)
            lines += [f"    - type: {kind}", f"      name: {_yaml(title)}"]
            lines += [f"      value: {value:.6f}"]
    return lines


def _invalid(content: CardContent) -> str:
    reason = markdown(content.invalid or "")
    return f"> **INVALID: do not use these scores.** {reason}" if content.invalid else ""


def _summary(content: CardContent) -> str:
    names = ", ".join(f"**{markdown(name)}**" for name in content.classes)
    several = field_of(content.metrics, "findings")
    does = "asks of each scan which of {} it shows" if several else "tells scans apart as {}"
    return (
        f"It {does.format(names)}. An autoencoder learned from scans without labels, a classifier "
        f"from its features with few labels.\n\n{markdown(content.verdict)}"
    )


def _use(content: CardContent) -> str:
    threshold = known_number(content.threshold)
    decided = ""
    if threshold is not None and len(content.classes) == 2:
        positive = markdown(content.classes[1])
        decided = f" A scan is called {positive} from a probability of {number(threshold)}."
    return (
        "## Intended use\n\nResearch on scans of the kind it was trained on: ranking, sorting, "
        f"second looks, and as a baseline for other methods.{decided}{_decided(content)} It may "
        "abstain, and each answer comes with a probability and an anomaly score.\n\n"
        '```python\nfrom latentdx import load_bundle\n\nload_bundle("bundle").predict(["scan.dcm"])'
        "\n```"
    )


def _decided(content: CardContent) -> str:
    return "".join(f" {markdown(sentence)}" for sentence in content.decided)


def _training_data(content: CardContent) -> str:
    rows = [
        (part, name or "without label", f"{n_scans:,}", f"{n_patients:,}")
        for part, by_class in content.parts.items()
        for name, (n_scans, n_patients) in by_class.items()
    ]
    table = table_of(("part", "label", "scans", "patients"), rows)
    return (
        "## Training data\n\nParts share no patient unless a warning above says so; scores are of "
        f"`test` alone.\n\n{table}"
    )


def _evaluation(content: CardContent) -> str:
    test = field_of(content.metrics, "test")
    rows = [
        (title, number(field_of(test, name, "value")), interval(field_of(test, name)))
        for name, title in metric_names(content.metrics).items()
    ]
    n_scans, n_patients = (field_of(test, "auroc", of) for of in ("n_scans", "n_patients"))
    counted = plural(field_of(content.metrics, "decide_by"))
    counts = f"{count(n_scans)} {counted} of {count(n_patients)} patients"
    table = table_of(("metric", "value", "95 % interval"), rows)
    return f"## Evaluation\n\nOn {counts} of the test part.\n\n{table}"


def _baselines(content: CardContent) -> str:
    rivals = {
        name: values
        for group in ("baselines", "controls", "splits")
        for name, values in (field_of(content.metrics, group) or {}).items()
    }
    rows = [
        (BASELINE_NAMES.get(name, name), number(field_of(values, "auroc", "value")),
         interval(field_of(values, "auroc")))
        for name, values in rivals.items()
    ]  # fmt: skip
    table = table_of(("on the same scans", "AUROC", "95 % interval"), rows)
    return f"## Baselines and controls\n\n{table}" if rows else ""


def _features(content: CardContent) -> str:
    """The candidates among which ``--features auto`` chose, and what they reached on tune."""
    told = field_of(content.metrics, "features")
    names = ("log_loss", "above_best", "standard_error")
    rows = [
        (field_of(each, "features"), *(number(field_of(each, name)) for name in names))
        for each in field_of(told, "candidates") or []
    ]
    if not rows:
        return ""
    counts = " scans of ".join(count(field_of(told, of)) for of in ("n_scans", "n_patients"))
    chosen = markdown(field_of(told, "chosen"))
    table = table_of(("features", "log loss", "above the best", "standard error"), rows)
    return f"## Choice of the features\n\n{chosen}, by {counts} patients of `tune`.\n\n{table}"


def _yaml(text: str) -> str:
    return json.dumps(printable(text), ensure_ascii=False)
