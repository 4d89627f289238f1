"""What a card says of labels: what each is a kind of, and its codes."""

from __future__ import annotations

from latentdx.collection.terms import CODES, Terms
from latentdx.report.card import table_of


def terms_section(terms: Terms) -> str:
    """A table of the labels that were told of; ``""`` where none was."""
    if not terms:
        return ""
    told = {name: term.model_dump() for name, term in terms.items()}
    keys = [key for key in ("parent", *CODES) if any(each[key] for each in told.values())]
    titles = ("label", *("is a kind of" if key == "parent" else CODES[key] for key in keys))
    rows = [(name, *(each[key] or "" for key in keys)) for name, each in told.items()]
    return f"## Terms\n\nAs they were given; codes are not checked.\n\n{table_of(titles, rows)}"
