"""The figures of a search and of a comparison, in the style of the report's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from latentdx.report import figures
from latentdx.report.card import number

_ACCENT, _OTHER = figures.ACCENT, figures.COLOURS[6]


class Bar(NamedTuple):
    """One line of a plot with intervals; None is a gap. The learned ones are drawn strong."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    is_strong: bool


def history(values: Sequence[float | None], xlabel: str, ylabel: str) -> str:
    """Results one after another, None for those given up, and the best so far as a line."""
    known = [(number, value) for number, value in enumerate(values, 1) if value is not None]
    if not known:
        return ""
    best = [min(value for _, value in known[: place + 1]) for place in range(len(known))]
    given = [number for number, value in enumerate(values, 1) if value is None]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        numbers = [number for number, _ in known]
        axes.scatter(numbers, [value for _, value in known], s=16, color=_ACCENT, label="trial")
        axes.step(numbers, best, where="post", color=_ACCENT, linewidth=1.3, label="best so far")
        top = max(value for _, value in known)
        if given:
            axes.scatter(
                given, [top] * len(given), s=16, marker="x", color=_OTHER, label="given up"
            )
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.legend(loc="upper right")

    said = f"{ylabel} by {xlabel}: {len(known)} results, the best {number(best[-1])}"
    return figures.svg("history", (8.4, 3.0), draw, said)


def intervals(bars: Sequence[Bar], xlabel: str) -> str:
    """Values with the ends of their intervals, one line each."""
    known = [bar for bar in bars if bar.value is not None]
    if not known:
        return ""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for y, bar in enumerate(bars):
            colour = _ACCENT if bar.is_strong else _OTHER
            if bar.low is not None and bar.high is not None:
                axes.plot([bar.low, bar.high], [y, y], color=colour, linewidth=2)
            if bar.value is not None:
                axes.plot(
                    [bar.value], [y], "o" if bar.is_strong else "s", color=colour, markersize=6
                )
        axes.set_yticks(range(len(bars)), [figures.short(bar.name, 44) for bar in bars])
        axes.set(ylim=(len(bars) - 0.4, -0.6), xlabel=xlabel)
        axes.grid(visible=False, axis="y")

    said = ", ".join(f"{bar.name} {number(bar.value)}" for bar in known)
    size = (8.4, 0.8 + 0.3 * len(bars))
    return figures.svg("intervals", size, draw, f"{xlabel}: {said}")
