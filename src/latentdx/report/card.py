"""The words that the model card shares with the pages: names of metrics, numbers, limits."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any

from latentdx.collection.cases import PLURALS

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
    "without-fine-tuning": "This model without fine-tuning",
    "cnn-from-scratch": "CNN from labels alone",
    "shuffled-labels": "Control: shuffled labels",
    "scan-level-split": "Control: training scans split by scan",
    "patient-level-split": "Control: training scans split by patient",
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
