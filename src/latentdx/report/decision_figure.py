"""The decision curve, in the style of the report's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentdx.report import figures
from latentdx.report.card import field_of, known_number

_SOFT = "#5d6876"


def decision_curve(points: Sequence[Mapping[str, Any]] | None, positive: str) -> str:
    """Net benefit by threshold: of the model with its interval, of treating all, of treating none.

    `points` are those of ``metrics.json``; `positive` is the name of the class that is treated.
    """
    columns = {
        name: np.array([_number(point, *path) for point in points or ()], np.float64)
        for name, path in {
            "at": ("threshold",),
            "model": ("model", "value"),
            "low": ("model", "low"),
            "high": ("model", "high"),
            "all": ("treat_all", "value"),
        }.items()
    }
    if not np.isfinite(columns["model"]).any():
        return ""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        at = columns["at"]
        axes.plot(at, columns["all"], color=_SOFT, linestyle="--", linewidth=1.3, label="treat all")
        axes.axhline(0, color=_SOFT, linewidth=1.3, linestyle=":", label="treat none")
        axes.fill_between(
            at, columns["low"], columns["high"], color=figures.ACCENT, alpha=0.12, linewidth=0
        )
        axes.plot(at, columns["model"], color=figures.ACCENT, linewidth=2.2, label="this model")
        top = float(np.nanmax([columns["model"], columns["high"], columns["all"]]))
        axes.set(xlim=(0, 1), ylim=(-0.35 * top - 0.01, 1.1 * top + 0.01))
        axes.set(xlabel=f"Probability of {figures.short(positive)} from which one would act")
        axes.set_ylabel("Net benefit")
        axes.legend(loc="upper right", handlelength=2.2)

    best = float(np.nanmax(columns["model"]))
    said = f"Decision curve: net benefit by threshold, at most {best:.3f}"
    return figures.svg("benefit", figures.HALF, draw, said)


def _number(point: Mapping[str, Any], *path: str) -> float:
    known = known_number(field_of(point, *path))
    return np.nan if known is None else known
