"""Templates of the pages: every name is escaped, and what is missing is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

SCROLLS = Markup('class="scroll" tabindex="0" role="group" aria-label="Table, scrolls sideways"')
"""What holds a table wider than a phone: the page is not, and a keyboard can scroll it."""
SLIDES = Markup('tabindex="0" role="group" aria-label="Figure, scrolls sideways"')


def template(name: str, **filters: Callable[[Any], str]) -> Template:
    """A template of this package by its file's name, with `filters` for its values."""
    environment = Environment(
        loader=PackageLoader("latentdx.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    environment.globals |= {"scrolls": SCROLLS, "slides": SLIDES}
    return environment.get_template(name)
