"""`render`: the report as one HTML file that asks nothing of any network and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from latentdx.metrics.discrimination import auroc
from latentdx.report import figures
from latentdx.report.alike import alike_of
from latentdx.report.card import (
    BASELINE_NAMES,
    GRADE_NAMES,
    LIMITS,
    METRIC_NAMES,
    count,
    field_of,
    interval,
    known_number,
    metric_names,
    number,
)
from latentdx.report.content import Examples, ReportContent
from latentdx.report.decision_figure import decision_curve
from latentdx.report.drift_words import drift_rows, drift_sentences
from latentdx.report.fold_page import fold_columns, fold_figure, fold_rows
from latentdx.report.further_words import further_titles
from latentdx.report.left_out_page import left_out_figure, left_out_values
from latentdx.report.pictures import Triple, brightest, triple
from latentdx.report.seed_page import seed_figure, seed_leads, seed_rows
from latentdx.report.split_control import split_sentence
from latentdx.report.template import template

Pixels = NDArray[Any]

HEADLINE = (
    "auroc", "sensitivity", "specificity", "balanced_accuracy", "average_precision", "brier", "ece",
)  # fmt: skip
COMPARED = (
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "brier",
)
OF_GRADES = ("quadratic_kappa", "grade_error", "auroc", "balanced_accuracy", "accuracy", "brier")
EXAMPLES_SHOWN = 12
WORST_WORDS = "The scans that were decided wrongly with the least probability for their own label."
PATHS_SHOWN = 20


@dataclass(frozen=True)
class Measure:
    """One metric as shown: its value and interval as text and, for a bar, in 0..100."""

    title: str
    note: str
    value: str
    interval: str
    n_scans: str
    n_patients: str
    bar: tuple[float, float, float] | None

    def without_bar(self) -> Measure:
        """The same, of a number that does not lie in 0..1."""
        return replace(self, bar=None)


class Compared(NamedTuple):
    """One line of the comparison: the model, a baseline or a control, and its metrics."""

    name: str
    kind: figures.Kind
    measures: list[Measure]


class Picture(NamedTuple):
    """One test scan with what the model made of it, and the words beneath."""

    images: Triple
    label: str
    called: str
    note: str
    agrees: bool


def render(content: ReportContent) -> str:
    """The whole page, self-contained: styles, figures and pictures lie within.

    The same content gives the same text. Names and paths are escaped; any metric may be null or
    missing and is then a dash. Half characters, as of undecodable paths, become question marks.
    """
    titles = metric_names(content.metrics)
    graded = titles is not METRIC_NAMES
    headline, columns = (OF_GRADES, OF_GRADES) if graded else (HEADLINE, COMPARED)
    compared = list(compared_of(content.metrics, columns))
    text = template("page.html.j2", number=number, count=count, spell=spell).render(
        content=content,
        figures={name: Markup(svg) for name, svg in _figures(content, compared).items()},
        headline=[_measure(content, name) for name in headline],
        others=[_measure(content, name) for name in titles if name not in headline]
        + [
            measure_of(field_of(content.metrics, "test", name), title)
            for name, title in further_titles(content.metrics).items()
        ],
        part_labels=(*content.classes, ""),
        compared=compared,
        compared_titles=[titles[name] for name in columns],
        confusion=_confusion(content),
        pictures=list(_pictures(content, content.examples)),
        worst=None if content.worst is None else list(_pictures(content, content.worst)),
        worst_words=WORST_WORDS,
        strata=[list(_pictures(content, shown)) for shown in content.strata],
        brightest=_brightest(content),
        are_volumes=content.examples.pixels.ndim > 4,
        field_of=field_of,
        measure_of=measure_of,
        steps=steps_of(content.metrics),
        limits=LIMITS,
        paths_shown=PATHS_SHOWN,
        fold_columns=fold_columns(content.metrics),
        fold_rows=fold_rows(content.metrics),
        seed_rows=seed_rows(content.metrics),
        seed_leads=seed_leads(content.metrics),
        split_words=split_sentence(field_of(content.metrics, "splits") or {}),
        **left_out_values(content.metrics),
        drift_rows=drift_rows,
        drift_sentences=drift_sentences,
        alike_of=partial(alike_of, content),
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def measure_of(estimate: Any, title: str = "", note: str = "") -> Measure:
    """One metric's five fields as shown; ``estimate`` may be None or lack any of them."""
    ends = _ends(estimate)
    places = [100 * min(1.0, max(0.0, end)) for end in ends if end is not None]
    return Measure(
        title=title,
        note=note,
        value=number(ends[0]),
        interval=interval(estimate),
        n_scans=count(field_of(estimate, "n_scans")),
        n_patients=count(field_of(estimate, "n_patients")),
        bar=(places[0], places[1], places[2]) if len(places) == 3 else None,
    )


def _ends(estimate: Any) -> tuple[float | None, float | None, float | None]:
    value, low, high = (known_number(field_of(estimate, of)) for of in ("value", "low", "high"))
    return value, low, high


def _measure(content: ReportContent, name: str) -> Measure:
    estimate = field_of(content.metrics, "test", name)
    return measure_of(estimate, {**GRADE_NAMES, **METRIC_NAMES}[name], _note(name, content.classes))


def _note(name: str, classes: Sequence[str]) -> str:
    notes = {
        "quadratic_kappa": "0 is chance, 1 is perfect",
        "grade_error": "grades between decision and label",
        "auroc": "0.5 is chance, 1 is perfect",
        "balanced_accuracy": "mean over labels of the share found",
        "average_precision": "chance is the share of positives",
        "brier": "squared error of probabilities, 0 is best",
        "ece": "stated against observed, 0 is best",
    }
    if len(classes) > 2:
        notes |= dict.fromkeys(("sensitivity", "specificity", "ppv", "npv", "f1"), "class average")
    elif len(classes) == 2:
        notes["sensitivity"] = f"share of \u201c{classes[1]}\u201d scans called so"
        notes["specificity"] = f"share of \u201c{classes[0]}\u201d scans called so"
    return notes.get(name, "")


def entries_of(metrics: Any) -> Iterator[tuple[figures.Kind, str, Any]]:
    """The model first, then baselines, then controls: kind, name, metrics."""
    yield "model", "This model", field_of(metrics, "test")
    groups: tuple[tuple[figures.Kind, str], ...] = (
        ("baseline", "baselines"),
        ("control", "controls"),
        ("control", "splits"),
    )
    for kind, group in groups:
        for name, values in (field_of(metrics, group) or {}).items():
            yield kind, BASELINE_NAMES.get(name, name), values


def compared_of(metrics: Any, columns: Sequence[str]) -> Iterator[Compared]:
    """The lines of the comparison, with the metrics of `columns`."""
    for kind, name, values in entries_of(metrics):
        yield Compared(name, kind, [measure_of(field_of(values, metric)) for metric in columns])


def _figures(content: ReportContent, compared: Sequence[Compared]) -> dict[str, str]:
    labels, probabilities, classes = content.labels, content.probabilities, content.classes
    return {
        "forest": forest_of(content.metrics),
        "roc": figures.roc(list(_curves(content)), first_strong=len(classes) == 2),
        "distributions": figures.distributions(labels, probabilities, classes, content.threshold),
        "reliability": figures.reliability(labels, probabilities),
        "benefit": decision_curve(field_of(content.metrics, "decision_curve"), classes[-1]),
        "folds": fold_figure(content.metrics),
        "seeds": seed_figure(content.metrics),
        "left-out": left_out_figure(content.metrics),
        "map": figures.embedding_map(content.map_points, content.map_labels, classes),
        "training": figures.training(content.history),
    }


def forest_of(metrics: Any) -> str:
    """The AUROC of the model, of simpler methods, and of the controls, drawn."""
    return figures.forest(
        [
            figures.Row(name, kind, *_ends(field_of(values, "auroc")))
            for kind, name, values in entries_of(metrics)
        ]
    )


def _curves(content: ReportContent) -> Iterator[figures.Curve]:
    """Of two classes, the model and its rivals; of more, the model's one-vs-rest curves."""
    labels = content.labels
    if len(content.classes) > 2:
        for k, name in enumerate(content.classes):
            scores, own = content.probabilities[:, k], labels == k
            yield figures.Curve(name, own, scores, auroc(own, scores))
        return
    tables = {"": content.probabilities, **content.rivals}
    for name, table in tables.items():
        at = ("baselines", name) if name else ("test",)
        area = known_number(field_of(content.metrics, *at, "auroc", "value"))
        title = BASELINE_NAMES.get(name, name) if name else "This model"
        yield figures.Curve(title, labels == 1, table[:, 1], area)


def _confusion(content: ReportContent) -> list[tuple[str, list[tuple[int, float]]]]:
    """For each reference label, the number and the share of its scans by decision."""
    n_classes = len(content.classes)
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    known = (content.decisions >= 0) & (content.decisions < n_classes)
    np.add.at(counts, (content.labels[known], content.decisions[known]), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    rows = [
        list(zip(*both, strict=True)) for both in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    return list(zip(content.classes, rows, strict=True))


def _pictures(content: ReportContent, shown: Examples) -> Iterator[Picture]:
    full = _brightest(content)
    for i in range(min(EXAMPLES_SHOWN, len(shown.pixels))):
        label, called = int(shown.labels[i]), _called(shown.probabilities[i], content.threshold)
        stated = 1 if len(content.classes) == 2 else called
        yield Picture(
            images=triple(shown.pixels[i], shown.reconstructions[i], full),
            label=content.classes[label] if 0 <= label < len(content.classes) else "no label",
            called=content.classes[called],
            note=f"probability of {content.classes[stated]}: "
            f"{number(float(shown.probabilities[i, stated]))}",
            agrees=label in (called, -1),
        )


def _called(probabilities: Pixels, threshold: float | None) -> int:
    if len(probabilities) == 2 and threshold is not None:
        return int(probabilities[1] >= threshold)
    return int(probabilities.argmax())


def _brightest(content: ReportContent) -> float:
    shown = content.examples
    return brightest(shown.pixels[:EXAMPLES_SHOWN], shown.reconstructions[:EXAMPLES_SHOWN])


def steps_of(metrics: Any) -> list[tuple[str, str, float]]:
    """Each step, how long it took, and that as a share of the longest, 0..100."""
    seconds = field_of(metrics, "seconds") or {}
    known = {name: known_number(value) for name, value in seconds.items()}
    longest = max([value for value in known.values() if value] or [1.0])
    return [(name, spell(value), 100 * (value or 0) / longest) for name, value in known.items()]


def spell(seconds: Any) -> str:
    """Seconds for readers: ``4.2 s``, ``3 min 5 s``, ``2 h 7 min``; a dash where not known."""
    known = known_number(seconds)
    if known is None or known < 60:
        return f"{number(known)} s" if known is None else f"{known:.1f} s"
    minutes, rest = divmod(round(known), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
