"""TRIPOD+AI, CLAIM and REFORMS: what a run answers of each item, and what people still have to.

Nothing is made up: an item is ``computed`` (a value of this run), ``answered`` (every run does so)
or ``missing``. The items' words are this project's own: read the checklists themselves, too.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from latentdx.report.card import table_of
from latentdx.report.checklist_facts import facts_of

_NOT_ON_A_CARD = ("subgroups", "missing", "predictors", "sites")
"""Facts that name columns or groups: they stay in the run's own file."""


class Item(NamedTuple):
    """What one item asks, and the fact that answers it, "" where the program cannot know."""

    number: str
    asks: str
    fact: str


def checklists_of(content: Any, *, for_card: bool = False) -> dict[str, list[dict[str, str]]]:
    """``checklists.json``: by checklist the ``item``, what it ``asks``, ``status``, ``answer``.

    `content`: what the report of the run is made from; `for_card`: no name of a column or group.
    """
    facts = facts_of(content)
    found = {}
    for name, items in items_of().items():
        told = []
        for item in items:
            fact, status, answer = facts.get(item.fact), "missing", ""
            if fact is not None:
                status = "computed" if fact.is_computed else "answered"
                answer = fact.text
            if answer and for_card and item.fact in _NOT_ON_A_CARD:
                answer = "In the run's checklists.json."
            told.append(
                {"item": item.number, "asks": item.asks, "status": status, "answer": answer}
            )
        found[name] = told
    return found


def checklists_section(content: Any) -> str:
    """The same in Markdown, for the card."""
    parts = [
        "## Checklists\n\nWhat this run answers of reporting checklists. `computed` holds a value "
        "of the run, `answered` is so in every run, `missing` is for people to fill in."
    ]
    for name, told in checklists_of(content, for_card=True).items():
        counts = Counter(entry["status"] for entry in told)
        said = ", ".join(f"{counts[status]} {status}" for status in sorted(counts))
        rows = [tuple(entry.values()) for entry in told]
        table = table_of(("item", "asks", "status", "answer"), rows)
        parts.append(f"### {name}: {said}\n\n{table}")
    return "\n\n".join(parts)


@cache
def items_of() -> dict[str, tuple[Item, ...]]:
    """The items of each checklist, in their order."""
    text = (files("latentdx.report") / "checklists.toml").read_text(encoding="utf-8")
    return {
        name: tuple(Item(number, *told) for number, told in items.items())
        for name, items in tomllib.loads(text).items()
    }
