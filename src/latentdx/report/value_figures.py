"""The figures of a model of numbers, in the style of the report's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.report import figures
from latentdx.report.card import number

Values = NDArray[np.float64]

_ACCENT, _OTHER = figures.ACCENT, figures.COLOURS[6]
_ALARM = figures.COLOURS[1]
_MANY = 1500


def scatter(values: Values, predicted: Values, half_width: float, unit: str) -> str:
    """Predictions (N,) against values (N,), the diagonal, and the interval around it."""
    if not len(values):
        return ""
    ends = _ends(np.concatenate([values, predicted]))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        line = np.array(ends)
        if math.isfinite(half_width):
            axes.fill_between(line, line - half_width, line + half_width, color=_ACCENT, alpha=0.1)
        axes.plot(line, line, color=_OTHER, linewidth=1)
        axes.scatter(values, predicted, **_dots(len(values)))
        axes.set(xlim=ends, ylim=ends, box_aspect=1)
        axes.set(xlabel=f"Value{unit}", ylabel=f"Prediction{unit}")

    return figures.svg("scatter", figures.HALF, draw, "Predictions by value")


def agreement(values: Values, predicted: Values, unit: str) -> str:
    """Differences by means, their mean, and 1.96 deviations to both sides.

    Bland & Altman, Lancet 327, 1986.
    """
    if len(values) < 2:
        return ""
    away = predicted - values
    bias, spread = float(away.mean()), float(away.std(ddof=1))
    limits = (bias - 1.96 * spread, bias + 1.96 * spread)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.axhline(0, color=_OTHER, linewidth=0.6)
        axes.axhline(bias, color=_ALARM, linewidth=1.2)
        for limit in limits:
            axes.axhline(limit, color=_ALARM, linewidth=1, linestyle=(0, (4, 2)))
        for at in (bias, *limits):
            place = axes.get_yaxis_transform()
            axes.text(1.01, at, number(at), transform=place, va="center", fontsize=7)
        axes.scatter((predicted + values) / 2, away, **_dots(len(values)))
        axes.set(xlabel=f"Mean of both{unit}", ylabel=f"Prediction less value{unit}")

    said = f"Bland-Altman: bias {number(bias)}, limits {number(limits[0])}, {number(limits[1])}"
    return figures.svg("agreement", figures.HALF, draw, said)


def value_map(points: Values, values: Values, unit: str) -> str:
    """Points (N, 2) of the embeddings, darker the greater the value (N,)."""
    if not len(points):
        return ""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        drawn = axes.scatter(
            *points.T, c=values, cmap="viridis_r", s=11, linewidths=0, rasterized=len(points) > 200
        )
        axes.set(xticks=[], yticks=[], box_aspect=0.8)
        axes.spines[["left", "bottom"]].set_visible(False)
        figure.colorbar(drawn, ax=axes, label=f"Value{unit}", shrink=0.8)

    return figures.svg("map", figures.HALF, draw, "Map of the embeddings by value")


def _ends(both: Values) -> tuple[float, float]:
    low, high = float(both.min()), float(both.max())
    margin = 0.04 * (high - low or 1.0)
    return low - margin, high + margin


def _dots(count: int) -> dict[str, Any]:
    return {
        "s": 11, "color": _ACCENT, "alpha": 0.6, "linewidths": 0, "rasterized": count > _MANY,
    }  # fmt: skip
