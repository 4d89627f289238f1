"""`Rule`: what a user knows and a model does not: which scans it must not answer for.

A rule is data: a sentence, and conditions on columns of a scan. Nothing in it can be run. It is
applied after the model, and changes no number of it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
)

from latentdx.collection.csv_text import column_name
from latentdx.features.covariate_values import (
    Columns,
    columns_of_scans,
    names_persons,
    numbers_in,
)
from latentdx.scans.scan import Scan

Plain: TypeAlias = StrictStr | StrictInt | StrictFloat

_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_BEGINS = re.compile(r"(<=|>=|!=|==|=|<|>)\s*(.*)", re.DOTALL)


class Comparison(NamedTuple):
    """``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``, and what with."""

    sign: str
    wanted: str

    def holds(self, name: str, value: str) -> bool | None:
        """Of a column's value; None where it is not known."""
        if not value:
            return None
        number, wanted = (float(numbers_in(name, (text,))[0]) for text in (value, self.wanted))
        if self.sign in _COMPARED:
            return None if np.isnan(number) else _COMPARED[self.sign](number, wanted)
        alike = number == wanted or value.strip().casefold() == self.wanted.casefold()
        return alike if self.sign == "=" else not alike


class Rule(BaseModel):
    """Scans of which all conditions hold get no label.

    Attributes
    ----------
    text: why, in the user's words; it is the reason that a diagnosis shows.
    when: by column a value (``"AP"``, ``2``), a comparison (``"< 1"``, ``"!= AP"``), several joined
        by ``and`` (``">= 1 and < 5"``), or a list of them of which one has to hold. Words are
        compared without regard to case; ages may be ``018M``, as DICOM has them.
    if_unknown: what becomes of a scan whose columns leave it open: ``answer``, or ``abstain``.

    Examples
    --------
    >>> rule = Rule(text="infants were not in training", when={"age": "< 1"})
    >>> [rule.holds({"age": age}) for age in ("006M", "34", "")]
    [True, False, None]
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1, max_length=300)
    when: dict[str, Plain | list[Plain]] = Field(min_length=1)
    if_unknown: Literal["answer", "abstain"] = "answer"

    @field_validator("text")
    @classmethod
    def _text(cls, value: str) -> str:
        if not value.strip() or not value.isprintable():
            raise ValueError("write one line of words")
        return value.strip()

    @field_validator("when")
    @classmethod
    def _when(cls, value: dict[str, Any]) -> dict[str, Any]:
        named = {column_name(name): wanted for name, wanted in value.items()}
        if len(named) < len(value):
            raise ValueError("a column stands there twice")
        for name, wanted in named.items():
            if names_persons(name):
                raise ValueError(f"the column {name!r} tells who a patient is")
            _alternatives(name, wanted)
        return named

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(self.when)

    def holds(self, told: Mapping[str, str]) -> bool | None:
        """Whether all conditions hold of a scan; None where what is not known decides it."""
        return _all(_any(name, told.get(name, ""), wanted) for name, wanted in self.when.items())

    def stops(self, told: Mapping[str, str]) -> str | None:
        """Why a scan gets no label, or None."""
        found = self.holds(told)
        if found is None and self.if_unknown == "abstain":
            unknown = ", ".join(name for name in self.names if not told.get(name))
            return f"{self.text} ({unknown} not known)" if unknown else self.text
        return self.text if found else None

    def over(self, told: Columns, n_scans: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(N,) where it stops scans of these columns (N,), and where it was left open."""
        rows = [{name: told[name][row] for name in self.names} for row in range(n_scans)]
        stopped = np.array([self.stops(row) is not None for row in rows], np.bool_)
        return stopped, np.array([self.holds(row) is None for row in rows], np.bool_)


def why_stopped(rules: Sequence[Rule], scan: Scan) -> str | None:
    """The words of the first rule that stops a scan, by what its file or table says; or None."""
    for rule in rules:
        told = columns_of_scans([scan], rule.names)
        text = rule.stops({name: values[0] for name, values in told.items()})
        if text is not None:
            return text
    return None


def _any(name: str, value: str, wanted: Any) -> bool | None:
    """One of the alternatives: True where one holds, else None where one is left open."""
    found = [
        _all(test.holds(name, value) for test in tests) for tests in _alternatives(name, wanted)
    ]
    return True if True in found else None if None in found else False


def _all(found: Any) -> bool | None:
    every = list(found)
    return False if False in every else None if None in every else True


def _alternatives(name: str, wanted: Any) -> list[list[Comparison]]:
    """What a condition says, taken apart. Raises ValueError where it cannot be understood."""
    each = wanted if isinstance(wanted, list) else [wanted]
    if not each:
        raise ValueError(f"{name}: the list is empty")
    return [_tests(name, one) for one in each]


def _tests(name: str, wanted: Any) -> list[Comparison]:
    text = str(wanted).strip()
    if not text:
        raise ValueError(f"{name}: there is nothing to compare with")
    if _BEGINS.fullmatch(text) is None:
        return [Comparison("=", text)]
    return [_test(name, part) for part in re.split(r"\s+and\s+", text)]


def _test(name: str, text: str) -> Comparison:
    found = _BEGINS.fullmatch(text.strip())
    if found is None or not found[2]:
        raise ValueError(f"{name}: {text!r} is no comparison such as '< 1', '>= 65' or '!= AP'")
    sign, wanted = found[1].replace("==", "="), found[2].strip()
    if _BEGINS.fullmatch(wanted):
        raise ValueError(f"{name}: {text!r} has two signs")
    if sign in _COMPARED and np.isnan(numbers_in(name, (wanted,))[0]):
        raise ValueError(f"{name}: {sign} compares with a number, found {wanted!r}")
    return Comparison(sign, wanted)
