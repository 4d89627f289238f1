"""`render_findings`: the report of several findings a scan, as one HTML file like the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from latentdx.metrics.discrimination import auroc
from latentdx.report import figures
from latentdx.report.card import LIMITS, METRIC_NAMES, count, field_of, number
from latentdx.report.drift_words import drift_rows, drift_sentences
from latentdx.report.findings_content import FindingExamples, FindingsContent
from latentdx.report.page import (
    COMPARED,
    EXAMPLES_SHOWN,
    HEADLINE,
    PATHS_SHOWN,
    Measure,
    Picture,
    compared_of,
    forest_of,
    measure_of,
    spell,
    steps_of,
)
from latentdx.report.pictures import brightest, triple
from latentdx.report.template import template

OF_FINDING = ("prevalence", "auroc", "sensitivity", "specificity", "average_precision", "brier")
_TITLES = {"prevalence": "Prevalence", **METRIC_NAMES}
_MOST_CURVES = 8
WORST_WORDS = "The scans with the least probability for a finding that was decided wrongly."


class FindingRow(NamedTuple):
    """One finding: its metrics, and the probability from which it is decided."""

    name: str
    measures: list[Measure]
    threshold: str


def render_findings(content: FindingsContent) -> str:
    """The whole page, self-contained; see `render`, whose template it fills differently."""
    shown, metrics = content.examples, content.metrics
    worst = content.worst
    full = brightest(shown.pixels[:EXAMPLES_SHOWN], shown.reconstructions[:EXAMPLES_SHOWN])
    text = template("findings.html.j2", number=number, count=count, spell=spell).render(
        content=content,
        figures={name: Markup(svg) for name, svg in _figures(content).items()},
        headline=[_measure(metrics, name) for name in HEADLINE],
        others=[_measure(metrics, name) for name in METRIC_NAMES if name not in HEADLINE],
        part_labels=(*content.classes, content.negative, ""),
        finding_titles=[_TITLES[name] for name in OF_FINDING],
        findings=list(_rows(content)),
        compared=list(compared_of(metrics, COMPARED)),
        compared_titles=[METRIC_NAMES[name] for name in COMPARED],
        confusion=[],
        pictures=list(_pictures(shown, full)),
        worst=None if worst is None else list(_pictures(worst, full)),
        strata=[list(_pictures(each, full)) for each in content.strata],
        drift_rows=drift_rows,
        drift_sentences=drift_sentences,
        worst_words=WORST_WORDS,
        brightest=full,
        are_volumes=shown.pixels.ndim > 4,
        field_of=field_of,
        measure_of=measure_of,
        steps=steps_of(metrics),
        limits=LIMITS,
        paths_shown=PATHS_SHOWN,
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def _measure(metrics: Any, name: str) -> Measure:
    return measure_of(field_of(metrics, "test", name), METRIC_NAMES[name], "mean over findings")


def _rows(content: FindingsContent) -> Iterator[FindingRow]:
    for name in content.classes:
        found = field_of(content.metrics, "findings", name)
        measures = [measure_of(field_of(found, metric)) for metric in OF_FINDING]
        yield FindingRow(name, measures, number(content.thresholds.get(name)))


def _figures(content: FindingsContent) -> dict[str, str]:
    pooled = content.probabilities.ravel()
    return {
        "forest": forest_of(content.metrics),
        "findings": figures.forest(
            [
                figures.Row(name, "model", *_ends(field_of(content.metrics, "findings", name)))
                for name in content.classes
            ]
        ),
        "roc": figures.roc(list(_curves(content)), first_strong=False),
        "reliability": figures.reliability(
            content.targets.ravel(), np.stack([1 - pooled, pooled], axis=1)
        ),
        "map": figures.embedding_map(
            content.map_points, content.map_labels, (content.negative, "any finding")
        ),
        "training": figures.training(content.history),
    }


def _ends(found: Any) -> tuple[Any, Any, Any]:
    value, low, high = (field_of(found, "auroc", end) for end in ("value", "low", "high"))
    return value, low, high


def _curves(content: FindingsContent) -> Iterator[figures.Curve]:
    """Those of the first findings, the commonest in test first."""
    common = np.argsort(-content.targets.sum(axis=0), kind="stable")[:_MOST_CURVES]
    for k in common.tolist():
        own, scores = content.targets[:, k] == 1, content.probabilities[:, k]
        yield figures.Curve(content.classes[k], own, scores, auroc(own, scores))


def _pictures(shown: FindingExamples, full: float) -> Iterator[Picture]:
    for i in range(min(EXAMPLES_SHOWN, len(shown.pixels))):
        name, probability = shown.likeliest[i]
        yield Picture(
            images=triple(shown.pixels[i], shown.reconstructions[i], full),
            label=shown.labels[i],
            called=shown.decisions[i],
            note=f"likeliest: {name}, {number(probability)}",
            agrees=shown.labels[i] == shown.decisions[i],
        )
