"""Scans that the audit names as nearly equal, as pictures side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from latentdx.report.content import ReportContent
from latentdx.report.thumbnails import thumbnail

GROUPS_SHOWN, SCANS_SHOWN = 12, 4
"""Groups of a finding, and scans of a group."""

_CODES = ("near-duplicate", "near-duplicate-across-parts")


class Alike(NamedTuple):
    """One scan: its path and its picture as data URI."""

    path: str
    image: str


def alike_paths(audit: Mapping[str, Any]) -> list[list[str]]:
    """Groups of paths to be shown, of all findings of ``audit.json``.

    Examples
    --------
    >>> finding = {"code": "near-duplicate", "examples": [["a.png", "b.png"]]}
    >>> alike_paths({"findings": [finding, {"code": "duplicate", "examples": [["c.png"]]}]})
    [['a.png', 'b.png']]
    """
    return [group for finding in audit["findings"] for group in _groups(finding)]


def alike_of(content: ReportContent, finding: Mapping[str, Any]) -> list[list[Alike]]:
    """The pictures of one finding's groups, as far as `ReportContent.alike` has them."""
    groups = [
        [Alike(path, thumbnail(content.alike[path])) for path in group if path in content.alike]
        for group in _groups(finding)
    ]
    return [group for group in groups if len(group) > 1]


def _groups(finding: Mapping[str, Any]) -> Iterable[list[str]]:
    if finding.get("code") not in _CODES:
        return []
    return [list(group[:SCANS_SHOWN]) for group in finding["examples"][:GROUPS_SHOWN]]
