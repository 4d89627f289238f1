"""The figures of the report, as inline SVG. Only this module imports matplotlib.

Each function returns text for a page, and ``""`` where there is nothing to draw. The same input
gives the same bytes: no date, no random ids, and no setting of the user's own matplotlib. Text
stays text, in the page's font; ink, lines and paper are CSS variables, so that figures follow a
dark page and print in black. Colours are Okabe and Ito's (2008), told apart by dash or marker too.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentdx.metrics.calibration import reliability_curve
from latentdx.metrics.discrimination import roc_points
from latentdx.report.card import number, printable

Numbers = NDArray[Any]
Draw = Callable[[Figure], None]
Kind = Literal["model", "baseline", "control"]

ACCENT = "#0072b2"
COLOURS = (ACCENT, "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
_MARKERS = "o^sDvPX"
_MANY = 1500  # more dots than that are drawn as an image
_INK, _SOFT, _LINE, _PAPER = "#1d2733", "#5d6876", "#dbe1e8", "#fffffe"
_VARIABLES = {_INK: "--ink", _SOFT: "--soft", _LINE: "--line", _PAPER: "--paper"}

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "latentdx", "text.parse_math": False, "font.size": 8,
    "axes.labelsize": 8, "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "axes.labelcolor": _SOFT,
    "legend.fontsize": 7.5, "legend.title_fontsize": 7.5, "legend.facecolor": _PAPER,
    "legend.edgecolor": "none", "lines.solid_capstyle": "butt", "text.color": _INK,
    "axes.edgecolor": _LINE, "xtick.labelcolor": _SOFT, "ytick.labelcolor": _SOFT,
    "xtick.major.size": 0, "ytick.major.size": 0, "axes.spines.top": False, "axes.grid": True,
    "axes.spines.right": False, "grid.color": _LINE, "grid.linewidth": 0.5, "savefig.dpi": 200,
    "axes.axisbelow": True, "axes.facecolor": "none", "lines.linewidth": 1.5,
}  # fmt: skip

LOSSES: Mapping[str, str] = {"training scans": "loss", "tune scans": "tune_loss"}
HALF = (4.1, 3.6)
"""Inches of a figure that takes half the page's width; a whole one is 8.4 wide."""


class Curve(NamedTuple):
    """One ROC curve: who is positive, bool (N,), their scores (N,), and the AUROC to state."""

    name: str
    positive: Numbers
    scores: Numbers
    auroc: float | None


class Row(NamedTuple):
    """One line of the forest plot: a value with the ends of its interval; None is a gap."""

    name: str
    kind: Kind
    value: float | None
    low: float | None
    high: float | None


def roc(curves: Sequence[Curve], *, first_strong: bool = True) -> str:
    """ROC curves over the chance diagonal, AUROC in the legend; the first is the model's own."""
    drawable = [curve for curve in curves if _rankable(curve)]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
        for k, curve in reversed(list(enumerate(drawable))):
            label = f"{short(curve.name)}  {number(curve.auroc)}"
            points = roc_points(curve.positive.astype(int), curve.scores)
            axes.plot(*points, label=label, **_line(k, strong=first_strong and k == 0))
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), box_aspect=1)
        axes.set(xlabel="False alarms (1 \u2212 specificity)", ylabel="Found (sensitivity)")
        _legend(axes, title="AUROC", alignment="left", loc="lower right", reverse=True)

    names = ", ".join(f"{curve.name} {number(curve.auroc)}" for curve in drawable)
    return svg("roc", HALF, draw, f"ROC curves with AUROC: {names}") if drawable else ""


def distributions(
    labels: Numbers, probabilities: Numbers, classes: Sequence[str], threshold: float | None
) -> str:
    """Probabilities (N, K) by reference label (N,).

    Two classes: the share of each class's scans by probability of the positive one, back to back,
    with the threshold. More: each scan's probability of its own class, and the medians.
    """
    if not len(labels):
        return ""
    draw = _ridges(labels, probabilities, classes)
    if len(classes) == 2:
        draw = _back_to_back(labels, probabilities[:, 1], classes, threshold)
    return svg("distributions", HALF, draw, "Probabilities by reference label")


def reliability(labels: Numbers, probabilities: Numbers) -> str:
    """Reliability diagram of probabilities (N, K), with the number of scans in each bin."""
    if not len(labels):
        return ""
    stated, observed, counts = reliability_curve(labels, probabilities)

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        upper.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
        upper.plot(stated[counts > 0], observed[counts > 0], "o-", color=ACCENT, markersize=4)
        upper.set(ylim=(-0.03, 1.03), ylabel="Observed frequency")
        centres = (np.arange(len(counts)) + 0.5) / len(counts)
        bars = lower.bar(centres, counts, width=0.075, color=ACCENT, alpha=0.35)
        lower.bar_label(bars, labels=[str(n) for n in counts], fontsize=7, color=_SOFT)
        lower.set(xlim=(0, 1), ylim=(0, 1.35 * counts.max()), yticks=[])
        lower.set(xlabel="Stated probability", ylabel="Scans")
        lower.grid(visible=False)

    return svg("reliability", HALF, draw, "Reliability diagram: observed by stated probability")


def forest(rows: Sequence[Row]) -> str:
    """AUROC and interval of the model, baselines and controls, one line each, values at right."""
    known = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvline(0.5, color=_SOFT, linewidth=0.8, linestyle=(0, (3, 3)))
        for y, row in enumerate(rows):
            _forest_row(axes, y, row)
        axes.set(xlim=(min(0.45, min(known) - 0.02), 1.005), ylim=(len(rows) - 0.4, -0.6))
        axes.set_yticks(range(len(rows)), [short(row.name, 44) for row in rows])
        axes.tick_params(axis="y", labelcolor=_INK, labelsize=8)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("AUROC and 95 % interval; dashed: chance")

    said = ", ".join(f"{row.name} {number(row.value)}" for row in rows)
    size = (8.4, 0.75 + 0.3 * len(rows))
    return svg("forest", size, draw, f"AUROC with intervals: {said}") if known else ""


def embedding_map(points: Numbers, labels: Numbers, classes: Sequence[str]) -> str:
    """Points (N, 2) of the embeddings coloured by label (N,); other labels are grey."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = {-1: "no label", **dict(enumerate(classes))}
        known = np.where((labels >= 0) & (labels < len(classes)), labels, -1)
        for k in np.unique(known).tolist():
            chosen = points[known == k]
            label = f"{short(names[k], 18)} ({len(chosen):,})"
            axes.scatter(*chosen.T, label=label, rasterized=len(points) > _MANY, **_dots(k))
        axes.set(xticks=[], yticks=[], box_aspect=0.8)
        axes.spines[["left", "bottom"]].set_visible(False)
        _legend(axes, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2)

    size = (HALF[0], HALF[1] + 0.08 * max(0, len(classes) - 4))
    return svg("map", size, draw, "Map of the embeddings by label") if len(points) else ""


def training(history: Sequence[Mapping[str, Any]], names: Mapping[str, str] = LOSSES) -> str:
    """Losses by epoch: entries of `history` by name in the legend; ids differ from LOSSES'."""
    lines = {short(name): _series(history, key) for name, key in names.items()}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for k, (name, line) in enumerate(lines.items()):
            if len(line):
                axes.plot(*line.T, marker="" if len(line) > 1 else "o", label=name, **_line(k))
        axes.set(xlabel="Epoch", ylabel="Loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(axes, loc="upper right")

    own, some = "training" if names is LOSSES else "terms", any(map(len, lines.values()))
    return svg(own, HALF, draw, "Training curve: loss by epoch") if some else ""


def svg(name: str, size: tuple[float, float], draw: Draw, description: str) -> str:
    """A drawing of `size` inches as an SVG element; `name` is unique on its page."""
    stream, unsaid = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*[Gg]lyph")  # the page's font has them
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(stream, format="svg", transparent=True, metadata=unsaid)
    return _inline(stream.getvalue(), name, description)


def _inline(drawn: str, name: str, description: str) -> str:
    """The SVG element for a page: its own ids, the page's colours, the width of its place."""
    body = re.sub(r"\s*<style.*?</style>|\s*<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)

    def own(tag: re.Match[str]) -> str:
        text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", tag[0])
        return re.sub("|".join(_VARIABLES), lambda c: f"var({_VARIABLES[c[0]]},{c[0]})", text)

    body = re.sub(r"<[^>]*>", own, body[body.index("<svg") :])
    body = re.sub(r' (width|height)="[\d.]+pt"', "", body, count=2)
    label = html.escape(printable(description))
    return body.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _back_to_back(
    labels: Numbers, positive: Numbers, classes: Sequence[str], threshold: float | None
) -> Draw:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for k, sign in ((1, 1), (0, -1)):
            counts, edges = np.histogram(positive[labels == k], bins=20, range=(0, 1))
            label = f"{short(classes[k])} ({counts.sum():,})"
            share = sign * 100 * counts / max(1, counts.sum())
            axes.bar(edges[:-1], share, 0.046, align="edge", color=COLOURS[k], label=label)
        axes.axhline(0, color=_SOFT, linewidth=0.6)
        if threshold is not None and np.isfinite(threshold):
            axes.axvline(threshold, color=_INK, linewidth=1, linestyle=(0, (4, 2)))
            side, shift = ("left", 0.012) if threshold < 0.5 else ("right", -0.012)
            text = f"threshold {number(threshold)}"
            axes.text(threshold + shift, 0.97, text, transform=axes.get_xaxis_transform(), ha=side)
        axes.yaxis.set_major_formatter(lambda y, _: f"{abs(y):.0f} %")
        axes.set(xlim=(0, 1), xlabel=f"Probability of {short(classes[1])}")
        axes.set_ylabel("Share of the class's scans")
        _legend(axes, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)

    return draw


def _ridges(labels: Numbers, probabilities: Numbers, classes: Sequence[str]) -> Draw:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for k in range(len(classes)):
            own = np.sort(probabilities[labels == k, k])
            spread = k + 0.6 * ((np.arange(len(own)) * 0.618034) % 1 - 0.5)
            axes.scatter(own, spread, rasterized=len(labels) > _MANY, **{**_dots(k), "alpha": 0.5})
            if len(own):
                axes.plot([np.median(own)] * 2, [k - 0.38, k + 0.38], color=_INK, linewidth=1.5)
        axes.set_yticks(range(len(classes)), [short(name, 18) for name in classes])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(classes) - 0.5, -0.5))
        axes.set_xlabel("Probability of the scan's own class")
        axes.grid(visible=False, axis="y")

    return draw


def _forest_row(axes: Any, y: int, row: Row) -> None:
    colour, strong = (ACCENT, True) if row.kind == "model" else (_SOFT, False)
    said = number(row.value)
    if row.low is not None and row.high is not None:
        axes.plot([row.low, row.high], [y, y], color=colour, lw=2.6 if strong else 1.4)
        said += f" ({number(row.low)}\u2013{number(row.high)})"
        axes.axvspan(row.low, row.high, color=ACCENT, alpha=0.07 if strong else 0, linewidth=0)
    if row.value is not None:
        face = _PAPER if row.kind == "control" else colour
        axes.plot([row.value], [y], "o", markersize=7 if strong else 5, color=colour, mfc=face)
    weight = "bold" if strong else "normal"
    axes.text(1.015, y, said, transform=axes.get_yaxis_transform(), va="center", weight=weight)


def _legend(axes: Any, **options: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(handlelength=2.2, borderaxespad=0.6, labelspacing=0.35, **options)


def _line(k: int, *, strong: bool = False) -> dict[str, Any]:
    width = 2.2 if strong else 1.3
    return {"color": COLOURS[k % 7], "linestyle": _DASHES[k % 6], "linewidth": width}


def _dots(k: int) -> dict[str, Any]:
    colour, marker = (COLOURS[k % 7], _MARKERS[(k + k // 7) % 7]) if k >= 0 else (_LINE, "o")
    return {"s": 11, "color": colour, "marker": marker, "alpha": 0.75, "linewidths": 0}


def _rankable(curve: Curve) -> bool:
    both = 0 < np.sum(curve.positive) < len(curve.positive)
    return bool(both and np.isfinite(curve.scores).all())


def _series(history: Sequence[Mapping[str, Any]], name: str) -> Numbers:
    """(epoch, value) rows (E, 2) of the epochs where ``name`` is known."""
    given = [(entry.get("epoch", i), entry.get(name)) for i, entry in enumerate(history)]
    rows = np.array(given, dtype=np.float64).reshape(-1, 2)
    return rows[np.isfinite(rows).all(axis=1)]


def short(name: str, most: int = 26) -> str:
    """A name for a legend: printable, not too long, and not hidden for its first underscore."""
    text = printable(name) if len(name) <= most else printable(name)[: most - 1] + "\u2026"
    return " " + text if text.startswith("_") else text
