"""`doctor_page`: what was found in a source, as one HTML file that asks nothing of any network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from latentdx.report.doctor_advice import MEANING, advice
from latentdx.report.doctor_content import MOST_EXAMPLES, DoctorContent, by_kind
from latentdx.report.thumbnails import thumbnail

ROWS_SHOWN = 200
"""Paths of one code; ``doctor.json`` has them all."""

COUNTS_SHOWN = 30
PICTURES_SHOWN = 24
"""Of one finding."""


class Shown(NamedTuple):
    """One picture with its path and label."""

    path: str
    label: str
    image: str


class Aside(NamedTuple):
    """All files that were set aside for one reason."""

    code: str
    advice: str
    files: list[Mapping[str, Any]]


class Counts(NamedTuple):
    """How many scans have what; `rest` more names are not shown."""

    title: str
    column: str
    rows: list[tuple[str, int]]
    rest: int


class Marked(NamedTuple):
    """A finding with pictures of its first scans, and the paths of which there is no picture."""

    finding: Mapping[str, Any]
    pictures: list[Shown]
    paths: list[str]


def doctor_page(found: DoctorContent) -> str:
    """The whole page, self-contained: styles and pictures lie within; it needs no script.

    The same content gives the same text. Every name and path is escaped; half characters, as of
    undecodable paths, become question marks.
    """
    text = _template().render(
        content=found,
        found=found.found,
        totals=_totals(found.found),
        tables=[table for table in _tables(found.found) if table.rows],
        warnings=_counts(found.found.get("warnings", {})),
        meaning=MEANING,
        marked=[_marked(finding, found) for finding in found.findings],
        aside=_aside(found.found.get("quarantine", ())),
        examples=[
            Shown(shown.path, shown.label, thumbnail(shown.pixels))
            for shown in found.examples[:MOST_EXAMPLES]
        ],
        rows_shown=ROWS_SHOWN,
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("latentdx.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda value: f"{int(value):,}"
    return environment.get_template("doctor.html.j2")


def _totals(found: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Number, what it counts, and a word on it."""
    aside, not_images = found.get("quarantine", ()), found.get("not_images", ())
    n_patients = found.get("n_patients")
    totals = [
        ("would be read", found.get("n_scans"), _patients(n_patients)),
        ("of them converted", found.get("n_converted"), "each conversion is recorded"),
        ("set aside", len(aside), "they cannot be used as they are"),
        ("hold no image", len(not_images), "reports, plans, indexes: no fault"),
        ("skipped", found.get("n_skipped"), "no scans by their name or kind"),
    ]
    return [(title, number, note) for title, number, note in totals if number is not None]


def _patients(n_patients: int | None) -> str:
    return "" if n_patients is None else f"of {n_patients:,} patients"


def _tables(found: Mapping[str, Any]) -> Iterator[Counts]:
    for key, title, column in (
        ("labels", "Labels", "label"),
        ("modalities", "Modalities", "modality"),
        ("sizes", "Sizes as stored in the files", "pixels"),
        ("conversions", "Conversions", "what was done"),
    ):
        counts = found.get(key, {})
        rows = _counts(by_kind(counts) if key == "conversions" else counts)
        yield Counts(title, column, rows[:COUNTS_SHOWN], max(0, len(rows) - COUNTS_SHOWN))


def _counts(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first, then by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(name or "not known", count) for name, count in ordered]


def _marked(finding: Mapping[str, Any], content: DoctorContent) -> Marked:
    paths = [path for group in finding.get("examples", ()) for path in group]
    pictured = [path for path in paths if path in content.pictures][:PICTURES_SHOWN]
    shown = [Shown(path, "", thumbnail(content.pictures[path])) for path in pictured]
    there = set(pictured)
    return Marked(finding, shown, [path for path in paths if path not in there])


def _aside(quarantine: Sequence[Mapping[str, Any]]) -> list[Aside]:
    """By code, the most frequent first."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in quarantine:
        groups[item["code"]].append(item)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Aside(code, advice(code), files) for code, files in ordered]
