"""Tables and the figure of benchmarks/results/label-curves.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import commits

LATENTDX, CNN = "latentdx", "cnn"
FROZEN = "without-fine-tuning"
OTHERS = ("untrained-encoder", "pixels-pca-svm", "hog-svm")
WAYS = (LATENTDX, FROZEN, *OTHERS, CNN)
QUOTED = 0.1
"""The fraction of the labels that the READMEs quote."""

_HEADS = {
    "en": (
        "data (labelled patients)", "latentdx", "CNN from scratch", "strongest other",
        "latentdx − CNN", "labels for the CNN's score with all",
    ),
    "zh": (
        "数据（有标签的患者数）", "latentdx", "从头训练的 CNN", "其余最强者",
        "latentdx − CNN", "达到 CNN 用全部标签的得分所需标签",
    ),
}  # fmt: skip
_NEVER = {"en": "not reached", "zh": "未达到"}
_NOTES = {
    "en": "AUROC with a tenth of the labels (95 % interval), from "
    "`benchmarks/results/label-curves.json`, commit {commit}.",
    "zh": "用十分之一标签时的 AUROC（95 % 区间），数据来自 "
    "`benchmarks/results/label-curves.json`，提交 {commit}。",
}
_COLOURS = dict(
    zip(WAYS, ("#0072B2", "#CC79A7", "#56B4E9", "#999999", "#009E73", "#D55E00"), strict=True)
)
_MARKERS = dict(zip(WAYS, "oPsv^D", strict=True))


def short_table(results: Mapping[str, Any], language: str = "en") -> str:
    """A row a set, at a tenth of the labels, and where the figures are from."""
    head = _HEADS[language]
    rows = [head, ("---",) * len(head)]
    for name, found in results["results"].items():
        for point in found["points"]:
            if point["fraction"] == QUOTED:
                rows.append(_short_row(name, point, found["labels needed"], language))
    return _lines(rows) + "\n\n" + _NOTES[language].format(commit=commits(results))


def long_table(results: Mapping[str, Any]) -> str:
    """A row a point of every set; the largest AUROC of a row is bold."""
    rows: list[tuple[str, ...]] = [
        ("data", "labels", "patients with one", "draws", *WAYS, "latentdx − cnn"),
    ]
    rows.append(("---",) * len(rows[0]))
    for name, found in results["results"].items():
        for point in found["points"]:
            values = {way: _value(point, way) for way in WAYS}
            best = max(each for each in values.values() if each is not None)
            rows.append(
                (
                    name,
                    f"{100 * point['fraction']:g} %",
                    _patients(point["patients"]),
                    str(point["draws"]),
                    *(_told(value, best) for value in values.values()),
                    _gap(point["latentdx minus"].get(CNN)),
                )
            )
    return _lines(rows)


def needed_table(results: Mapping[str, Any]) -> str:
    """How many labels one way needs for what the other reaches with all."""
    rows: list[tuple[str, ...]] = [("data", "who, for whose score", "AUROC", "patients", "of all")]
    rows.append(("---",) * len(rows[0]))
    for name, found in results["results"].items():
        for whose, each in found["labels needed"].items():
            if each is not None:
                ends = [_share(each["share"][end], "en") for end in ("value", "low", "high")]
                n = each["patients"]["value"]
                n_told = "–" if n is None else f"{'≤ ' if n <= each['first'] else ''}{n:.0f}"
                share = ends[0] if len(set(ends)) == 1 else f"{ends[0]} ({ends[1]} to {ends[2]})"
                rows.append((name, whose, f"{each['goal']:.3f}", n_told, share))
    return _lines(rows)


def draw_curves(results: Mapping[str, Any], place: Path) -> None:
    """A panel a set: AUROC against labelled patients, with the intervals of two of the ways."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    sets = results["results"]
    n_rows = -(-len(sets) // 3)
    options = {"svg.hashsalt": "latentdx", "svg.fonttype": "none", "font.size": 8}
    with mpl.rc_context(options):
        figure, axes = pyplot.subplots(
            n_rows, 3, figsize=(9, 2.7 * n_rows), squeeze=False, layout="constrained"
        )
        for axis, (name, found) in zip(axes.flat, sets.items(), strict=False):
            _panel(axis, name, found)
        for axis in axes.flat[len(sets) :]:
            axis.set_visible(False)
        handles, names = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(WAYS), frameon=False)
        figure.savefig(place, metadata={"Date": None})
        pyplot.close(figure)


def _panel(axis: Any, name: str, found: Mapping[str, Any]) -> None:
    for way in WAYS:
        points = [point for point in found["points"] if way in point["ways"]]
        sizes = [sum(point["patients"]) for point in points]
        told = [point["ways"][way]["auroc"] for point in points]
        axis.plot(
            sizes,
            [each["value"] for each in told],
            label=way,
            color=_COLOURS[way],
            marker=_MARKERS[way],
            markersize=3.5,
            linewidth=1.8 if way in (LATENTDX, CNN) else 1,
        )
        if way in (LATENTDX, CNN):
            low, high = ([each[end] for each in told] for end in ("low", "high"))
            axis.fill_between(sizes, low, high, color=_COLOURS[way], alpha=0.13, linewidth=0)
    axis.set_xscale("log")
    axis.set_title(name)
    axis.set_xlabel("patients with a label")
    axis.set_ylabel("AUROC")
    axis.grid(alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _short_row(
    name: str, point: Mapping[str, Any], needed: Mapping[str, Any], language: str
) -> tuple[str, ...]:
    others = {way: _value(point, way) or 0.0 for way in OTHERS}
    best = max(others, key=lambda way: others[way])
    found = needed["latentdx, for the CNN's score with all"]
    share = "–" if found is None else _share(found["share"]["value"], language)
    return (
        f"{name} ({sum(point['patients'])})",
        _with_interval(point["ways"].get(LATENTDX)),
        _with_interval(point["ways"].get(CNN)),
        f"{best} {others[best]:.3f}",
        _gap(point["latentdx minus"].get(CNN)),
        share,
    )


def _value(point: Mapping[str, Any], way: str) -> float | None:
    found: float | None = point["ways"].get(way, {"auroc": {"value": None}})["auroc"]["value"]
    return found


def _told(value: float | None, best: float) -> str:
    if value is None:
        return "–"
    return f"**{value:.3f}**" if round(value, 3) == round(best, 3) else f"{value:.3f}"


def _patients(counts: list[int]) -> str:
    alike = len(set(counts)) == 1 and len(counts) > 2
    return f"{len(counts)} × {counts[0]}" if alike else " + ".join(map(str, counts))


def _with_interval(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    each = found["auroc"]
    return f"{each['value']:.3f} ({each['low']:.3f}–{each['high']:.3f})"


def _gap(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    told = [f"{found[end]:+.3f}".replace("-", "−") for end in ("value", "low", "high")]
    return f"{told[0]} ({told[1]} to {told[2]})"


def _share(share: float | None, language: str) -> str:
    if share is None:
        return _NEVER[language]
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.2g} %"


def _lines(rows: list[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
