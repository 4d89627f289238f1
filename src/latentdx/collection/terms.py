"""Terms of labels as data: what each is a kind of, and its codes (ICD-10, SNOMED CT, RadLex)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from latentdx.core.errors import StopError
from latentdx.core.remedies import REMEDIES

CODES: Mapping[str, str] = {"icd10": "ICD-10", "snomed": "SNOMED CT", "radlex": "RadLex"}
"""Systems of codes, by the key in a table of terms."""

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,19}$")]

_FIX = "write [label] with parent = '...', icd10 = '...', snomed = '...' or radlex = '...'"


class Term(BaseModel):
    """What is known of a label.

    Attributes
    ----------
    parent: the label that it is a kind of, or None: whoever has the one has the other.
    icd10, snomed, radlex: its codes; they are told, and change nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    parent: str | None = Field(default=None, min_length=1)
    icd10: Code | None = None
    snomed: Code | None = None
    radlex: Code | None = None

    @field_validator("parent")
    @classmethod
    def _parent(cls, value: str | None) -> str | None:
        if value is not None and (";" in value or not value.isprintable()):
            raise ValueError("a parent is one label")
        return value


Terms = Mapping[str, Term]


def read_terms(path: Path) -> dict[str, dict[str, Any]]:
    """The terms of a TOML, a table a label, as plain values. Raises `StopError` ``E_TERMS``."""
    try:
        told = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        raise StopError("E_TERMS", text, fix=REMEDIES["E_IO"], path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StopError("E_TERMS", f"not TOML: {error}", fix=_FIX, path=path) from None
    found = {}
    for name, values in told.items():
        try:
            found[name] = Term.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in (name, *first["loc"]))
            text = f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"
            raise StopError("E_TERMS", text, fix=_FIX, path=path) from None
    if not found:
        raise StopError("E_TERMS", "there is no term", fix=_FIX, path=path)
    return {name: term.model_dump(exclude_none=True) for name, term in found.items()}


def ancestors(name: str, terms: Terms) -> tuple[str, ...]:
    """What a label is a kind of, the nearest first. Raises `StopError` ``E_TERMS`` for a circle.

    Examples
    --------
    >>> terms = {"lobar": Term(parent="pneumonia"), "pneumonia": Term(parent="opacity")}
    >>> ancestors("lobar", terms)
    ('pneumonia', 'opacity')
    """
    found: list[str] = []
    at = terms.get(name)
    while at is not None and at.parent is not None:
        if at.parent == name or at.parent in found:
            text = f"{name!r} is a kind of itself, by way of {' and '.join(found) or 'its parent'}"
            raise StopError("E_TERMS", text, fix="correct the parents")
        found.append(at.parent)
        at = terms.get(at.parent)
    return tuple(found)


def with_ancestors(names: Iterable[str], terms: Terms) -> set[str]:
    """The labels and all that they are kinds of."""
    held = set(names)
    return held.union(*(ancestors(name, terms) for name in held)) if held else held


def check_terms(terms: Terms, labels: Iterable[str], *, several: bool) -> None:
    """Raise `StopError` ``E_TERMS`` for terms of labels that no scan has, circles, and parents
    where a scan has one label only (`several` is False)."""
    known = with_ancestors(labels, terms)
    for name, term in terms.items():
        ancestors(name, terms)
        if name not in known:
            fix = f"the labels are {', '.join(sorted(known))}"
            raise StopError("E_TERMS", f"no scan has the label {name!r}", fix=fix)
        if term.parent is not None and not several:
            found = f"{name!r} has a parent, and every scan one label"
            fix = "parents are for several findings a scan (--task multi-label); leave it out"
            raise StopError("E_TERMS", found, fix=fix)
