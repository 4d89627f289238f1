"""`render_values`: the report of a model of numbers, as one HTML file that asks nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from latentdx.report import choice_figures, figures, value_figures
from latentdx.report.card import BASELINE_NAMES, count, field_of, known_number, number
from latentdx.report.drift_words import drift_rows, drift_sentences
from latentdx.report.page import Measure, measure_of, spell, steps_of
from latentdx.report.pictures import Triple, brightest, triple
from latentdx.report.template import template
from latentdx.report.value_content import ValueContent, ValueExamples
from latentdx.report.value_words import METRIC_NAMES, VALUE_LIMITS, with_unit

EXAMPLES_SHOWN = 12
PATHS_SHOWN = 20
WORST_WORDS = "The scans of the largest error."

_NOTES = {
    "mae": "mean distance between prediction and value",
    "rmse": "large errors weigh more",
    "r2": "0 is what the mean of the test part would reach, 1 is perfect",
    "pearson": "1 is a rising line",
    "spearman": "1 is the same order",
}


class Compared(NamedTuple):
    """One line of the comparison: the model, a baseline or a control, and its metrics."""

    name: str
    kind: str
    measures: list[Measure]


class Picture(NamedTuple):
    """One test scan with what the model made of it."""

    images: Triple
    value: str
    predicted: str
    agrees: bool


def render_values(content: ValueContent) -> str:
    """The whole page, self-contained: styles, figures and pictures lie within.

    The same content gives the same text. Names and paths are escaped; any metric may be null or
    missing and is then a dash.
    """
    shown = content.examples
    full = brightest(shown.pixels[:EXAMPLES_SHOWN], shown.reconstructions[:EXAMPLES_SHOWN])
    titles = {name: with_unit(title, name, content.units) for name, title in METRIC_NAMES.items()}
    text = template("values.html.j2", number=number, count=count, spell=spell).render(
        content=content,
        unit=f" {content.units}" if content.units else "",
        figures={name: Markup(svg) for name, svg in _figures(content).items()},
        headline=[_measure(content, name, titles) for name in METRIC_NAMES],
        compared=list(_compared(content)),
        compared_titles=list(titles.values()),
        bounded=math.isfinite(content.half_width),
        pictures=list(_pictures(content, shown, full)),
        worst=None if content.worst is None else list(_pictures(content, content.worst, full)),
        strata=[list(_pictures(content, each, full)) for each in content.strata],
        drift_rows=drift_rows,
        drift_sentences=drift_sentences,
        worst_words=WORST_WORDS,
        brightest=full,
        are_volumes=shown.pixels.ndim > 4,
        field_of=field_of,
        measure_of=measure_of,
        steps=steps_of(content.metrics),
        limits=VALUE_LIMITS,
        paths_shown=PATHS_SHOWN,
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def _measure(content: ValueContent, name: str, titles: Mapping[str, str]) -> Measure:
    found = measure_of(field_of(content.metrics, "test", name), titles[name], _NOTES[name])
    return found if name in ("r2", "pearson", "spearman") else found.without_bar()


def _entries(content: ValueContent) -> Iterator[tuple[str, str, Any]]:
    """The model first, then baselines, then controls: kind, name, metrics."""
    yield "model", "This model", field_of(content.metrics, "test")
    for kind, group in (("baseline", "baselines"), ("control", "controls")):
        for name, values in (field_of(content.metrics, group) or {}).items():
            yield kind, BASELINE_NAMES.get(name, name), values


def _compared(content: ValueContent) -> Iterator[Compared]:
    for kind, name, values in _entries(content):
        yield Compared(name, kind, [measure_of(field_of(values, each)) for each in METRIC_NAMES])


def _figures(content: ValueContent) -> dict[str, str]:
    unit = f" ({content.units})" if content.units else ""
    return {
        "errors": choice_figures.intervals(_bars(content), f"Mean absolute error{unit}"),
        "scatter": value_figures.scatter(
            content.values, content.predicted, content.half_width, unit
        ),
        "agreement": value_figures.agreement(content.values, content.predicted, unit),
        "map": value_figures.value_map(content.map_points, content.map_values, unit),
        "training": figures.training(content.history),
    }


def _bars(content: ValueContent) -> Sequence[choice_figures.Bar]:
    found = []
    for kind, name, values in _entries(content):
        value, low, high = (
            known_number(field_of(values, "mae", end)) for end in ("value", "low", "high")
        )
        found.append(choice_figures.Bar(name, value, low, high, kind == "model"))
    return found


def _pictures(content: ValueContent, shown: ValueExamples, full: float) -> Iterator[Picture]:
    for i in range(min(EXAMPLES_SHOWN, len(shown.pixels))):
        value, predicted = float(shown.values[i]), float(shown.predicted[i])
        yield Picture(
            images=triple(shown.pixels[i], shown.reconstructions[i], full),
            value=number(value),
            predicted=number(predicted),
            agrees=bool(np.abs(predicted - value) <= content.half_width),
        )
