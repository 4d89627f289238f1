"""The section of a bundle's card on a cross-validation."""

from __future__ import annotations

from typing import Any

from latentdx.report.card import count, field_of, interval, markdown, number, plural, table_of
from latentdx.report.fold_page import fold_columns


def folds_section(metrics: Any) -> str:
    """All scans together and the spread over folds, as Markdown; ``""`` where there are no folds.

    It holds counts and numbers only.
    """
    told = field_of(metrics, "folds")
    if not told:
        return ""
    rows = [
        (
            title,
            number(field_of(told, "pooled", name, "value")),
            interval(field_of(told, "pooled", name)),
            number(field_of(told, "spread", name, "mean")),
            number(field_of(told, "spread", name, "deviation")),
            number(field_of(told, "spread", name, "least")),
            number(field_of(told, "spread", name, "greatest")),
        )
        for name, title in fold_columns(metrics)
    ]
    head = ("metric", "all", "95 % interval", "mean of folds", "deviation", "least", "greatest")
    n_scans, n_patients = (field_of(told, "pooled", "auroc", of) for of in _COUNTS)
    counted = plural(field_of(metrics, "decide_by"))
    return (
        f"## Cross-validation\n\nNot of this model, but of {count(field_of(told, 'n_folds'))} made "
        f"in the same way, each tested on the patients of one fold that it had not seen: "
        f"{count(n_scans)} {counted} of {count(n_patients)} patients. Intervals cover the chance "
        "in whom was tested, not that in whom was learned from.\n\n"
        f"{table_of(head, rows)}\n\n{markdown(field_of(told, 'verdict'))}"
    )


_COUNTS = ("n_scans", "n_patients")
