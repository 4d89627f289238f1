"""Places that were left out, on the report's page and on the card."""

from __future__ import annotations

from typing import Any, NamedTuple

from latentdx.report import figures
from latentdx.report.adaptation import adaptation_rows
from latentdx.report.card import count, field_of, interval, known_number, markdown, number, table_of


class LeftOutRow(NamedTuple):
    """One line of the table: a place, counts, and values with their intervals."""

    name: str
    n_scans: str
    n_patients: str
    n_train: str
    values: list[tuple[str, str]]
    n_both: str


HEADS = ("AUROC", "balanced accuracy", "on scans that both tested", "by a model that knows it",
         "difference")  # fmt: skip


def left_out_values(metrics: Any) -> dict[str, Any]:
    """What the page's section asks for."""
    return {
        "left_out_heads": HEADS,
        "left_out_rows": left_out_rows(metrics),
        "adaptation_rows": adaptation_rows(metrics),
    }


def left_out_rows(metrics: Any) -> list[LeftOutRow]:
    """A line for each place."""
    return [_row(told) for told in field_of(metrics, "left_out", "each") or []]


def _row(told: Any) -> LeftOutRow:
    own, known = field_of(told, "metrics"), field_of(told, "known")
    shown = [
        *(field_of(own, name) for name in ("auroc", "balanced_accuracy")),
        *(field_of(known, name) for name in ("without", "with", "gap")),
    ]
    return LeftOutRow(
        str(field_of(told, "name")),
        count(field_of(own, "auroc", "n_scans")),
        count(field_of(own, "auroc", "n_patients")),
        count(field_of(told, "parts", "train")),
        [(number(field_of(each, "value")), interval(each)) for each in shown],
        count(field_of(known, "gap", "n_scans")),
    )


def left_out_figure(metrics: Any) -> str:
    """AUROCs at each place, by the model without it, and by models that know it."""
    each = field_of(metrics, "left_out", "each")
    if not each:
        return ""
    rows = []
    for told in each:
        name = str(field_of(told, "name"))
        rows.append(figures.Row(f"{name}, never seen", "model", *_ends(told, "metrics", "auroc")))
        if field_of(told, "known") is not None:
            rows.append(figures.Row(f"{name}, known", "baseline", *_ends(told, "known", "with")))
    return figures.forest(rows)


def left_out_section(metrics: Any) -> str:
    """For the card, as Markdown; ``""`` where nothing was left out."""
    told = field_of(metrics, "left_out")
    if not told:
        return ""
    column = str(field_of(told, "column"))
    head = (column, "scans", "patients", "AUROC", "95 % interval", "known", "difference")
    rows = [
        (
            row.name,
            row.n_scans,
            row.n_patients,
            *row.values[0],
            row.values[3][0],
            " ".join(filter(None, row.values[4])),
        )
        for row in left_out_rows(metrics)
    ]
    return (
        "## Places never seen\n\nNot of this model, but of models made in the same way without any "
        f"scan of one value of '{markdown(column)}' each, and tested on it. \"Known\" is the AUROC "
        "of a model that has learned from other patients of the place, on the scans that both "
        f"were tested on.\n\n{table_of(head, rows)}\n\n{markdown(field_of(told, 'verdict'))}"
        + (f" {markdown(said)}" if (said := field_of(told, "adaptation", "verdict")) else "")
    )


def _ends(told: Any, *places: str) -> tuple[float | None, float | None, float | None]:
    value, low, high = (
        known_number(field_of(told, *places, end)) for end in ("value", "low", "high")
    )
    return value, low, high
