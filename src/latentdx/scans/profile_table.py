"""The attribute table of the confidentiality profile: which action each attribute meets, when.

The facts lie in ``profile_table.csv`` (DICOM PS3.15, Table E.1-1) and ``profile_safe_private.csv``
(Table E.3.10-1), both with their source.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

EDITION = "DICOM PS3.15 2024b, Basic Application Level Confidentiality Profile"

COLUMNS = (
    "safe_private", "uids", "device", "institution", "patient", "full_dates", "modified_dates",
    "descriptors", "structured", "graphics",
)  # fmt: skip
"""The options of the profile, by the names of the table's columns."""

# Of several actions that the table leaves to the type of the attribute, the one that removes the
# value and yet suits every type: a dummy is valid wherever an empty value is.
_CHOSEN = {"X/Z": "Z", "X/D": "D", "X/Z/D": "D", "Z/D": "D", "X/Z/U*": "U"}


@dataclass(frozen=True)
class Rule:
    """One row: the basic action (X remove, Z empty, D dummy, U new UID) and those of options.

    `options` maps a name of `COLUMNS` to K (keep) or C (clean).
    """

    basic: str
    options: Mapping[str, str]

    def action(self, active: frozenset[str]) -> str:
        """X, Z, D, U, K or C with the options in `active` on; to keep wins over to clean.

        Examples
        --------
        >>> rule_of(0x00080020).action(frozenset({"modified_dates"}))
        'C'
        """
        found = {self.options[name] for name in active if name in self.options}
        for letter in "KC":
            if letter in found:
                return letter
        return _CHOSEN.get(self.basic, self.basic)


def rule_of(tag: int) -> Rule | None:
    """The row for a tag (group << 16 | element), None where the table has none.

    Examples
    --------
    >>> rule_of(0x00100020).basic, rule_of(0x60023000).basic, rule_of(0x00280010)
    ('Z/D', 'X', None)
    """
    table = rules()
    if tag >> 16 & 1:
        return table["private"]
    name = f"{tag:08X}"
    return table.get(name) or table.get(f"{name[:2]}xx{name[4:]}") or table.get(f"{name[:2]}xxxxxx")


@functools.cache
def rules() -> dict[str, Rule]:
    """All rows by tag: ``00080050``, ``60xx3000``, ``50xxxxxx`` or ``private``."""
    found = {}
    for row in _rows("profile_table.csv"):
        options = {name: row[name] for name in COLUMNS if row[name]}
        found[row["tag"]] = Rule(row["basic"], options)
    return found


@functools.cache
def safe_private() -> frozenset[tuple[int, int, str]]:
    """(group, low byte of the element, private creator) of each safe private attribute."""
    return frozenset(
        (int(row["tag"][:4], 16), int(row["tag"][6:], 16), row["creator"])
        for row in _rows("profile_safe_private.csv")
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = (files("latentdx.scans") / name).read_text(encoding="utf-8")
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
