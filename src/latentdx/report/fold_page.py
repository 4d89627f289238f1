"""A cross-validation on the report's page: a figure, and rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from latentdx.report import figures
from latentdx.report.card import (
    BASELINE_NAMES,
    count,
    field_of,
    interval,
    known_number,
    metric_names,
    number,
)
from latentdx.report.fold import WITHIN

SHOWN = ("auroc", "balanced_accuracy", "sensitivity", "specificity", "brier")
SHOWN_OF_GRADES = ("quadratic_kappa", "grade_error", "auroc", "balanced_accuracy", "brier")


class FoldRow(NamedTuple):
    """One line of the table: what it is of, counts, and (value, interval) of each metric."""

    name: str
    kind: figures.Kind
    n_scans: str
    n_patients: str
    n_train: str
    values: list[tuple[str, str]]
    chosen: str


def fold_columns(metrics: Any) -> list[tuple[str, str]]:
    """Names and titles of the metrics that the table shows."""
    pooled = field_of(metrics, "folds", "pooled")
    names = SHOWN_OF_GRADES if field_of(pooled, "quadratic_kappa") else SHOWN
    titles = metric_names({"test": pooled})
    return [(name, titles[name]) for name in names]


def fold_rows(metrics: Any) -> list[FoldRow]:
    """All scans together, then the mean of the folds, then each."""
    told = field_of(metrics, "folds")
    if not told:
        return []
    columns = [name for name, _ in fold_columns(metrics)]
    pooled = field_of(told, "pooled")
    rows = [FoldRow("All scans together", "model", *_counts(pooled), "", _of(pooled, columns), "")]
    spread = field_of(told, "spread") or {}
    means = [(number(field_of(spread, name, "mean")), _deviation(spread, name)) for name in columns]
    rows.append(FoldRow("Mean of the folds", "baseline", "", "", "", means, ""))
    for fold in field_of(told, "each") or []:
        own = field_of(fold, "metrics")
        learned = count(field_of(fold, "parts", "train"))
        name = f"Fold {field_of(fold, 'fold')}"
        counts = _counts(own)
        rows.append(FoldRow(name, "control", *counts, learned, _of(own, columns), _chosen(fold)))
    return rows


def fold_figure(metrics: Any) -> str:
    """AUROCs of the model and of simpler methods: their means over folds, and rings for folds."""
    told = field_of(metrics, "folds")
    if not told:
        return ""
    methods: dict[str, tuple[str, Any]] = {"": ("This model", field_of(told, WITHIN))}
    for name, values in (field_of(told, "baselines") or {}).items():
        methods[name] = (BASELINE_NAMES.get(name, name), field_of(values, WITHIN))
    each = field_of(told, "each") or []
    marks = "AUROC; mark and bar: mean of the folds, 95 % interval; rings: single folds"
    return ring_figure("folds", methods, {name: by_part(each, name) for name in methods}, marks)


def ring_figure(
    name: str,
    methods: Mapping[str, tuple[str, Any]],
    rings: Mapping[str, list[float]],
    marks: str,
) -> str:
    """A line a method, (title, estimate), with rings at other values; `marks` says what they are.

    The model's name is ``""``.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.axvline(0.5, color=figures.COLOURS[6], linewidth=0.8, linestyle=(0, (3, 3)))
        for y, (method, (_, estimate)) in enumerate(methods.items()):
            _draw_method(axes, y, estimate, rings[method], not method)
        axes.set(ylim=(len(methods) - 0.4, -0.6))
        axes.set_xlim(right=1.005)
        titles = [figures.short(title, 44) for title, _ in methods.values()]
        axes.set_yticks(range(len(methods)), titles)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(marks)

    said = ", ".join(
        f"{title} {number(field_of(estimate, 'value'))}" for title, estimate in methods.values()
    )
    size = (8.4, 0.8 + 0.36 * len(methods))
    return figures.svg(name, size, draw, f"AUROC over {name}: {said}")


def _draw_method(axes: Any, y: int, estimate: Any, folds: list[float], strong: bool) -> None:
    colour = figures.ACCENT if strong else figures.COLOURS[6]
    low, value, high = (known_number(field_of(estimate, of)) for of in ("low", "value", "high"))
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=colour, linewidth=2.6 if strong else 1.4)
    if value is not None:
        axes.plot([value], [y], "D", color=colour, markersize=7 if strong else 5)
    axes.plot(folds, [y + 0.22] * len(folds), "o", color=colour, mfc="none", markersize=5, mew=1)
    said = f"{number(value)} ({interval(estimate)})"
    weight = "bold" if strong else "normal"
    axes.text(1.015, y, said, transform=axes.get_yaxis_transform(), va="center", weight=weight)


def by_part(each: list[Mapping[str, Any]], name: str) -> list[float]:
    """The AUROC of a method in each fold, or of each seed, where it is known."""
    places = ("baselines", name) if name else ("metrics",)
    found = [known_number(field_of(fold, *places, "auroc", "value")) for fold in each]
    return [value for value in found if value is not None]


def _counts(values: Any) -> tuple[str, str]:
    first = field_of(values, "auroc")
    return count(field_of(first, "n_scans")), count(field_of(first, "n_patients"))


def _of(values: Any, columns: list[str]) -> list[tuple[str, str]]:
    return [
        (number(field_of(values, name, "value")), interval(field_of(values, name)))
        for name in columns
    ]


def _deviation(spread: Any, name: str) -> str:
    return f"± {number(field_of(spread, name, 'deviation'))}"


def _chosen(fold: Any) -> str:
    told = [str(field_of(fold, "features") or "")]
    if (strength := known_number(field_of(fold, "strength"))) is not None:
        told.append(f"{strength:g}")
    if (threshold := known_number(field_of(fold, "threshold"))) is not None:
        told.append(number(threshold))
    return ", ".join(told)
