"""The page and the table of `latentdx diff`, from its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from latentdx.report.card import GRADE_NAMES, METRIC_NAMES, field_of, known_number, number
from latentdx.report.choice_figures import Bar, intervals
from latentdx.report.choice_page import Section, difference, ends
from latentdx.report.further_words import FURTHER_TITLES
from latentdx.report.template import template
from latentdx.report.value_words import METRIC_NAMES as VALUE_NAMES

Row = Sequence[str]
CAUTION = (
    "A difference is the second run's number less the first's, on the same scans and resamples of "
    "patients. An interval that holds 0 says that these scans cannot tell the runs apart, not that "
    "they are alike; of many metrics one in twenty lies clear of 0 by chance."
)
_DRAWN = (
    *("quadratic_kappa", "auroc", "average_precision", "balanced_accuracy", "sensitivity"),
    *("specificity", "matthews", "brier", "ece", "mae"),
)


class _Page(NamedTuple):
    command: str
    title: str
    lead: str
    caution: str
    sections: Sequence[Section]


def diff_page(found: Mapping[str, Any]) -> str:
    """``diff.html``: metrics side by side, then settings and warnings that differ."""
    metrics = Section(
        "Metrics",
        Markup(intervals(_bars(found), "difference and 95 % interval (second less first)")),
        diff_header(found),
        diff_rows(found),
        "Each with its 95 % interval, over the same resamples of patients. A star stands where the "
        "interval of the difference lies clear of 0.",
    )
    places = Section(
        "Places never seen",
        "",
        ("AUROC at", *diff_header(found)[1:]),
        place_rows(found),
        "By models that were made without any scan of the place, on the scans of both runs; first "
        "the mean over places.",
    )
    settings = Section(
        "Settings that differ",
        "",
        ("setting", "first", "second"),
        [(name, *(_text(value) for value in both)) for name, both in found["settings"].items()],
        "Folders are shown by their last name.",
    )
    warnings = Section(
        "Warnings that differ",
        "",
        ("run", "warning"),
        [(run, text) for run in ("first", "second") for text in found["warnings"][run]],
        "Warnings that both runs have are left out.",
    )
    title = f"{found['first']} and {found['second']}"
    caution = " ".join([*found["notes"], CAUTION])
    sections = [metrics, *([places] if places.rows else []), settings, warnings]
    page = _Page("diff", title, lead(found), caution, sections)
    text = template("choice.html.j2").render(page=page)
    return text.encode("utf-8", "replace").decode("utf-8")


def lead(found: Mapping[str, Any]) -> str:
    """What was compared, in a sentence."""
    return (
        f"Two runs on the same {found['scans']['shared']:,} test scans of "
        f"{found['n_patients']:,} patients."
    )


def diff_header(found: Mapping[str, Any]) -> Row:
    """The heads of `diff_rows`."""
    return ("metric", found["first"], found["second"], "difference", "")


def diff_rows(found: Mapping[str, Any]) -> list[Row]:
    """One line a metric: both numbers with intervals, the difference, a star where it is clear."""
    return [
        (
            title_of(name, found),
            *(_told(both[side]) for side in ("first", "second")),
            difference(both["difference"]),
            "*" if _is_clear(both["difference"]) else "",
        )
        for name, both in found["metrics"].items()
    ]


def place_rows(found: Mapping[str, Any]) -> list[Row]:
    """One line a place that both runs left out, after their mean; none where they left none out."""
    told = field_of(found, "left_out", "auroc") or {}
    return [
        (
            name,
            *(_told(both[side]) for side in ("first", "second")),
            difference(both["difference"]),
            "*" if _is_clear(both["difference"]) else "",
        )
        for name, both in told.items()
    ]


def title_of(name: str, found: Mapping[str, Any]) -> str:
    """A metric's title; predictive values hold at one prevalence for both.

    Examples
    --------
    >>> title_of("auroc", {}), title_of("auroc of mass", {}), title_of("mae", {})
    ('AUROC', 'AUROC of mass', 'Mean absolute error')
    """
    titles = {**VALUE_NAMES, **GRADE_NAMES, **METRIC_NAMES, **FURTHER_TITLES}
    if name in titles:
        return titles[name].replace(" at a prevalence of {}", " at one prevalence")
    metric, _, finding = name.partition(" of ")
    return f"{titles.get(metric, metric)} of {finding}"


def _told(estimate: Any) -> str:
    interval = ends(estimate)
    value = number(field_of(estimate, "value"))
    return f"{value} ({interval})" if interval else value


def _is_clear(estimate: Any) -> bool:
    low, high = (known_number(field_of(estimate, end)) for end in ("low", "high"))
    return low is not None and high is not None and (low > 0 or high < 0)


def _bars(found: Mapping[str, Any]) -> list[Bar]:
    bars = []
    for name in _DRAWN:
        told = field_of(found["metrics"], name, "difference")
        if told is not None:
            value, low, high = (known_number(field_of(told, of)) for of in ("value", "low", "high"))
            bars.append(Bar(title_of(name, found), value, low, high, _is_clear(told)))
    return bars


def _text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
