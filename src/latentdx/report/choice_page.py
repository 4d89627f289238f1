"""The pages of `latentdx search` and `latentdx compare`, each from its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from latentdx.report.card import count, field_of, known_number, number
from latentdx.report.choice_figures import Bar, history, intervals
from latentdx.report.template import template

Row = Sequence[str]


@dataclass(frozen=True)
class Section:
    """A figure (may be empty), a table and a word on it; the row `marked` stands out."""

    title: str
    figure: str
    header: Row
    rows: Sequence[Row]
    note: str
    marked: int | None = None


@dataclass(frozen=True)
class Page:
    """A page of sections; `command` is what was typed."""

    command: str
    title: str
    lead: str
    caution: str
    sections: Sequence[Section]


def search_page(found: Mapping[str, Any]) -> str:
    """``search.html`` from ``search.json``: the trials in their order, and what mattered."""
    trials = found["trials"]
    losses = [field_of(trial["log_loss"], "value") for trial in trials]
    best = found["best"]
    lead = f"{len(trials)} trials in {spent(found['seconds'])}, each judged by "
    lead += f"{found['settings']['labelled']} labelled scans a draw on the scans of tune."
    note = "Trials that were given up have no result: see search.json for why. "
    made = Section(
        "Trials",
        Markup(history(losses, "trial", "log-loss on tune")),
        SEARCH_HEADER,
        [search_row(trial) for trial in trials],
        note + "Less log-loss is better.",
        None if best is None else best["number"],
    )
    mattered = Section(
        "What mattered",
        "",
        ("setting", "share of the differences"),
        [(name, f"{share:.0%}") for name, share in found["importance"].items()],
        "Of the log-loss between trials; told from six results on, and roughly.",
    )
    title = "No result yet" if best is None else describe(best["settings"])
    return rendered(Page("search", title, lead, found["caution"], [made, mattered]))


def compare_page(found: Mapping[str, Any]) -> str:
    """``compare.html`` from ``compare.json``: everybody alike, with intervals."""
    rows = found["rows"]
    bars = [_bar(row) for row in rows]
    lead = f"Log-loss on tune of classifiers fitted on {found['settings']['labelled']} labels, "
    lead += "for features of each autoencoder, of the same untrained, and of plain pixels."
    section = Section(
        "Who does what",
        Markup(intervals(bars, "log-loss on tune and 95 % interval (less is better)")),
        COMPARE_HEADER,
        [compare_row(row) for row in rows],
        "Intervals resample patients and draws of labels; differences are paired: less than 0 is "
        "better. Speed is of this machine.",
    )
    title = ", ".join(row["name"] for row in rows if row["kind"] == "trained")
    return rendered(Page("compare", title, lead, found["caution"], [section]))


def _bar(row: Mapping[str, Any]) -> Bar:
    value, low, high = (
        known_number(field_of(row["log_loss"], of)) for of in ("value", "low", "high")
    )
    return Bar(row["name"], value, low, high, is_strong=row["kind"] == "trained")


SEARCH_HEADER = ("trial", "log-loss", "interval", "AUROC", "parameters", "time")


def search_row(trial: Mapping[str, Any]) -> Row:
    """One trial as text, under `SEARCH_HEADER`."""
    given_up = trial["log_loss"] is None
    return (
        f"{trial['number'] + 1} {describe(trial['settings'])}",
        "given up" if given_up else number(field_of(trial["log_loss"], "value")),
        ends(trial["log_loss"]),
        number(field_of(trial["auroc"], "value")),
        count(trial["parameters"]),
        spent(trial["seconds"]),
    )


COMPARE_HEADER = (
    "features", "log-loss", "interval", "to the first", "to untrained", "AUROC", "time",
    "images/s", "parameters",
)  # fmt: skip


def compare_row(row: Mapping[str, Any]) -> Row:
    """One set of features as text, under `COMPARE_HEADER`."""
    return (
        row["name"],
        number(field_of(row["log_loss"], "value")),
        ends(row["log_loss"]),
        difference(row["to_first"]),
        difference(row["to_untrained"]),
        f"{number(field_of(row['auroc'], 'value'))} ({ends(row['auroc'])})",
        spent(row["seconds"]),
        count(row["images_per_second"]),
        count(row["parameters"]),
    )


def describe(settings: Mapping[str, Any]) -> str:
    """The settings of a trial in a line.

    Examples
    --------
    >>> describe({"autoencoder": "masked", "network": {"widths": [24, 48]}, "learning_rate": 0.001})
    'masked, widths 24-48, rate 0.001'
    """
    parts = [settings.get("autoencoder", "")]
    parts += [f"+ {name} x {weight:g}" for name, weight in settings.get("objectives", {}).items()]
    if widths := settings.get("network", {}).get("widths"):
        parts.append(f"widths {'-'.join(map(str, widths))}")
    named = {"latent_dim": "latent", "learning_rate": "rate"}
    parts += [f"{said} {settings[name]:g}" for name, said in named.items() if name in settings]
    return ", ".join(parts).replace(", +", " +")


def ends(estimate: Any) -> str:
    """The interval of an estimate, or nothing."""
    low, high = (known_number(field_of(estimate, end)) for end in ("low", "high"))
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def difference(estimate: Any) -> str:
    """A difference with its sign and interval, or nothing."""
    value = known_number(field_of(estimate, "value"))
    if value is None:
        return ""
    low, high = (known_number(field_of(estimate, end)) for end in ("low", "high"))
    told = "" if low is None or high is None else f" ({low:+.3f} to {high:+.3f})"
    return f"{value:+.3f}{told}"


def spent(seconds: float | None) -> str:
    """A duration for readers.

    Examples
    --------
    >>> spent(7.25), spent(95), spent(4000), spent(None)
    ('7.2 s', '1 min 35 s', '1 h 06 min', '')
    """
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02} min" if hours else f"{minutes} min {rest} s"


def rendered(page: Page) -> str:
    """The page as one HTML file that asks nothing of a network."""
    text = template("choice.html.j2").render(page=page)
    return text.encode("utf-8", "replace").decode("utf-8")
