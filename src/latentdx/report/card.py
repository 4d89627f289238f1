"""`render_card`: the model card that travels in a bundle, and the words it shares with the page.

The card is Markdown with YAML front matter, as Hugging Face reads it. It holds counts and numbers
only: no path, no covariate, nothing of a patient.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from latentdx.collection.cases import PLURALS
from latentdx.report.findings_content import CardContent

METRIC_NAMES: Mapping[str, str] = {
    "auroc": "AUROC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "balanced_accuracy": "Balanced accuracy",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "accuracy": "Accuracy",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "f1": "F1",
    "log_loss": "Log loss",
}
GRADE_NAMES: Mapping[str, str] = {
    "quadratic_kappa": "Quadratic weighted kappa",
    "grade_error": "Mean absolute error, grades",
}
BASELINE_NAMES: Mapping[str, str] = {
    "majority": "Majority class, no image",
    "median": "Median of the training part, no image",
    "metadata": "Metadata only, no image",
    "pixels-pca-svm": "Raw pixels, PCA, SVM",
    "hog-svm": "Edge histograms (HOG), SVM",
    "untrained-encoder": "Same encoder, untrained",
    "without-covariates": "This model without covariates",
    "cnn-from-scratch": "CNN from labels alone",
    "shuffled-labels": "Control: shuffled labels",
}
LIMITS = (
    "For research use. It is not a medical device, has not been reviewed by any authority, and must"
    " not be used to diagnose, treat or triage patients.",
    "The numbers hold for scans like the test scans: the same scanners, protocols, population and"
    " share of disease. Elsewhere they can be far lower; evaluate on your own scans first.",
    "Predictive values, calibration and the threshold depend on how common the disease is.",
    "Intervals are 95 % patient-cluster bootstrap intervals. They cover the chance in which"
    " patients were tested, not the chance in training, nor the choice of this split.",
    "One split into training and test patients was made, by the seed given. Another split gives"
    " other numbers.",
    "The labels are the reference standard that was given; their own errors are not measured.",
    "An association found by the model is not a cause, and a region or a similar case that it shows"
    " is not a proof of what it used.",
)

_OF_BUNDLE = (
    "format", "version", "autoencoder", "classifier", "latent_dim", "size", "channels", "modality",
    "n_parameters", "calibration", "seed", "split", "split_hash", "encoder", "encoder_hash",
    "sha256",
)  # fmt: skip
"""All of a bundle's entries that a card may show: a list, so that nothing else gets out."""

_HUB_TYPES = {"auroc": "roc_auc", "accuracy": "accuracy", "brier": "brier_score", "f1": "f1"}
_DASH = "\u2013"


def metric_names(metrics: Any) -> Mapping[str, str]:
    """The titles of the metrics to be shown of ``metrics.json``, by name."""
    ordered = field_of(metrics, "test", "quadratic_kappa") is not None
    return {**GRADE_NAMES, **METRIC_NAMES} if ordered else METRIC_NAMES


def number(value: Any) -> str:
    """A number for readers, about three digits; a dash where there is none.

    Examples
    --------
    >>> number(0.91234), number(27.412), number(0.00031), number(None)
    ('0.912', '27.4', '0.00031', '–')
    """
    known = known_number(value)
    if known is None:
        return _DASH
    size = abs(known)
    if 0 < size < 0.01:
        return f"{known:.2g}"
    return f"{known:,.0f}" if size >= 1000 else f"{known:.{1 if size >= 10 else 3}f}"


def count(value: Any) -> str:
    """A whole number for readers, or a dash.

    Examples
    --------
    >>> count(1240), count(None)
    ('1,240', '–')
    """
    known = known_number(value)
    return _DASH if known is None else f"{known:,.0f}"


def plural(decide_by: str | None) -> str:
    """What metrics count: scans, unless studies or patients are decided.

    Examples
    --------
    >>> plural(None), plural("study")
    ('scans', 'studies')
    """
    return next((words for by, words in PLURALS.items() if by == decide_by), "scans")


def known_number(value: Any) -> float | None:
    """``value`` as a float where it is a finite number, else None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def field_of(tree: Any, *names: str) -> Any:
    """What lies at the end of nested mappings, or None where any step is missing or null."""
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def interval(estimate: Any) -> str:
    """``low–high`` of one metric's five fields, or a dash where an end is missing."""
    ends = [known_number(field_of(estimate, end)) for end in ("low", "high")]
    return _DASH if None in ends else _DASH.join(number(end) for end in ends)


def printable(text: Any) -> str:
    """Any value as one line of text: control characters, breaks, half characters become spaces."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


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
        _evaluation(content),
        more,
        _baselines(content),
        _features(content),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in LIMITS),
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
        for group in ("baselines", "controls")
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


def how_made(bundle: Mapping[str, Any]) -> str:
    """The section of a bundle's technical entries, as far as a card may show them."""
    shown = {name: bundle[name] for name in _OF_BUNDLE if name in bundle}
    rows = [
        (name.replace("_", " "), value)
        for name, value in shown.items()
        if isinstance(value, str | int | float)
    ]
    return "## How it was made\n\n" + table_of(("", ""), rows) if rows else ""


def table_of(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A Markdown table of cells that hold no Markdown."""
    body = [head, ("---",) * len(head), *(tuple(map(markdown, row)) for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in body)


def markdown(text: Any) -> str:
    """Text that is neither HTML nor Markdown: names of classes may hold anything."""
    escaped = html.escape(printable(text), quote=False)
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", escaped)


def _yaml(text: str) -> str:
    return json.dumps(printable(text), ensure_ascii=False)
