"""The spread over seeds on the report's page and on the card."""

from __future__ import annotations

from typing import Any

from latentdx.report.card import BASELINE_NAMES, count, field_of, number, table_of
from latentdx.report.fold_page import by_part, fold_columns, ring_figure

HEAD = ("metric", "mean", "deviation", "least", "greatest")


def seed_rows(metrics: Any) -> list[tuple[str, ...]]:
    """A row a metric: its name, mean, deviation, least and greatest value over seeds."""
    told = field_of(metrics, "seeds")
    if not told:
        return []
    return [
        (title, *(number(field_of(told, "spread", name, of)) for of in HEAD[1:]))
        for name, title in fold_columns({"folds": {"pooled": field_of(metrics, "test")}})
        if field_of(told, "spread", name)
    ]


def seed_leads(metrics: Any) -> list[tuple[str, ...]]:
    """A row a simpler method: its name, the lead in AUROC (mean, deviation), seeds ahead."""
    told = field_of(metrics, "seeds")
    n_seeds = count(field_of(told, "n_seeds"))
    return [
        (
            BASELINE_NAMES.get(name, name),
            number(field_of(lead, "mean")),
            number(field_of(lead, "deviation")),
            f"{count(field_of(lead, 'ahead'))} / {n_seeds}",
        )
        for name, lead in (field_of(told, "lead") or {}).items()
    ]


def seed_figure(metrics: Any) -> str:
    """AUROCs of the first seed with their intervals, and a ring a seed."""
    told = field_of(metrics, "seeds")
    if not told:
        return ""
    methods: dict[str, tuple[str, Any]] = {
        "": ("This model", field_of(metrics, "test", "auroc")),
        **{
            name: (BASELINE_NAMES.get(name, name), field_of(metrics, "baselines", name, "auroc"))
            for name in field_of(told, "lead") or {}
        },
    }
    each = field_of(told, "each") or []
    marks = "AUROC; mark and bar: the first seed, 95 % interval over patients; rings: single seeds"
    return ring_figure("seeds", methods, {name: by_part(each, name) for name in methods}, marks)


def seeds_section(metrics: Any) -> str:
    """The spread over seeds as Markdown; ``""`` where there was one seed."""
    rows = seed_rows(metrics)
    if not rows:
        return ""
    return (
        f"## Spread over seeds\n\nThe whole training was done with "
        f"{count(field_of(metrics, 'seeds', 'n_seeds'))} seeds on the same parts; this model is "
        "the first. All of them were scored on the test part, and nothing was chosen by it.\n\n"
        f"{table_of(HEAD, rows)}"
    )
