"""`DoctorContent`: all that ``doctor.html`` and ``doctor.json`` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_EXAMPLES = 48


@dataclass(frozen=True)
class Example:
    """One scan to be shown: its path, its label (``""`` for none), pixels (C, *spatial) in 0..1."""

    path: str
    pixels: NDArray[Any]
    label: str = ""


@dataclass(frozen=True)
class DoctorContent:
    """What a look at every file of a source found.

    Attributes
    ----------
    name: of the source.
    found: as ``latentdx doctor --json`` prints it: ``n_scans``, ``n_patients``, ``n_skipped``,
        ``size``, ``channels``; counts by name in ``labels``, ``modalities``, ``sizes``,
        ``conversions``; ``quarantine`` (``path``, ``code``, ``text``), ``not_images`` (paths),
        ``notes``. Optional: ``n_converted`` (scans with a conversion) and ``warnings`` (counts by
        code, of single scans). What is missing is left out of the page.
    findings: of `latentdx.collection.quality.review` or `audit`, by `as_json`: ``code``,
        ``severity``, ``count``, ``text``, ``examples`` (groups of paths).
    pictures: pixels by path, for the examples of the findings.
    examples: scans to be shown as they would be stored (see `evenly_drawn`).
    """

    name: str
    found: Mapping[str, Any]
    findings: Sequence[Mapping[str, Any]] = ()
    pictures: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    examples: Sequence[Example] = ()

    def as_json(self) -> dict[str, Any]:
        """The content of ``doctor.json``: everything but the pictures."""
        return {
            "source": self.name,
            **self.found,
            "findings": [dict(finding) for finding in self.findings],
            "examples": [{"path": shown.path, "label": shown.label} for shown in self.examples],
        }


def evenly_drawn(labels: Sequence[str], most: int = MOST_EXAMPLES) -> list[int]:
    """Rows to show: of every label in turn, evenly spaced among its own, ordered by label.

    Examples
    --------
    >>> evenly_drawn(["no", "no", "no", "no", "no", "yes"], 4)
    [0, 2, 4, 5]
    """
    rows = {name: np.flatnonzero(np.array(labels, np.str_) == name) for name in sorted(set(labels))}
    shares = dict.fromkeys(rows, 0)
    while sum(shares.values()) < min(most, len(labels)):
        for name in rows:
            if shares[name] < len(rows[name]) and sum(shares.values()) < most:
                shares[name] += 1
    return [
        int(rows[name][at])
        for name, share in shares.items()
        for at in np.linspace(0, len(rows[name]) - 1, share).astype(int)
    ]


def by_kind(conversions: Mapping[str, int]) -> dict[str, int]:
    """Counts of conversions, those of many sizes as one: every scan is resized from its own.

    Examples
    --------
    >>> by_kind({"resized 8x9 to 4x4": 1, "resized 9x9 to 4x4": 2, "palette resolved": 1})
    {'resized': 3, 'palette resolved': 1}
    """
    kinds: dict[str, int] = {}
    for text, count in conversions.items():
        first, _, more = text.partition(" ")
        kind = "resized" if first == "resized" and "x" in more else text
        kinds[kind] = kinds.get(kind, 0) + count
    return kinds
