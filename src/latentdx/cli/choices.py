"""The results of a search or a comparison as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SHOWN = 10


def search_summary(found: Mapping[str, Any]) -> str:
    """The best trials, what mattered, and how much to believe."""
    from latentdx.report.choice_page import SEARCH_HEADER, describe, search_row, spent

    trials = found["trials"]
    done = sorted(
        (trial for trial in trials if trial["log_loss"] is not None),
        key=lambda trial: float(trial["log_loss"]["value"]),
    )
    lines = [
        f"{len(trials)} trials, {len(trials) - len(done)} of them given up, in "
        f"{spent(found['seconds'])}",
        *aligned(SEARCH_HEADER, [search_row(trial) for trial in done[:_SHOWN]]),
    ]
    if found["importance"]:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in found["importance"].items())
        lines.append(f"What mattered: {shares}")
    if found["best"] is None:
        return "\n".join([*lines, "No trial came to its end: give more time, or fewer --epochs."])
    lines.append(f"Best: {describe(found['best']['settings'])}")
    trial, run = (found["settings"][name] for name in ("trial_epochs", "run_epochs"))
    if trial < run:
        lines.append(f"Each trial trained {trial} epochs to fit the time; a run trains {run}.")
    return "\n".join([*lines, found["caution"]])


def compare_summary(found: Mapping[str, Any]) -> str:
    """Everybody with intervals, and what the numbers are."""
    from latentdx.report.choice_page import COMPARE_HEADER, compare_row

    failed = [f"Failed: {name}: {why}" for name, why in found["failed"].items()]
    return "\n".join(
        [
            f"Log-loss on tune with {found['settings']['labelled']} labels; less is better; "
            "differences are paired",
            *aligned(COMPARE_HEADER, [compare_row(row) for row in found["rows"]]),
            *failed,
            found["caution"],
        ]
    )


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns: the first to the left, the others to the right.

    Examples
    --------
    >>> aligned(("a", "b"), [("long", "1"), ("x", "22")])
    ['a      b', 'long   1', 'x     22']
    """
    table = [header, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
