"""The tables of docs/transfer.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.machine import commits

WAYS = ("untrained", "alone", "starter", "continued", "low-rank")
AGAINST = "alone"
_SHARES = ("1 %", "10 %")


def scores_table(results: Mapping[str, Any]) -> str:
    """A row a set and share of labels: the AUROC of each way."""
    rows = [
        (f"{name}, {share}", _labelled(told[share]), *(_plain(told[share][way]) for way in WAYS))
        for name, told in results["results"].items()
        for share in _SHARES
    ]
    return _table(("set, labels", "labelled scans", *WAYS), rows)


def gains_table(results: Mapping[str, Any]) -> str:
    """A row a set and share of labels: what each way adds to this set's scans alone, paired."""
    ways = [way for way in WAYS if way not in (AGAINST, "untrained")]
    rows = [
        (f"{name}, {share}", *(_gain(told[share][f"{way} - {AGAINST}"]) for way in ways))
        for name, told in results["results"].items()
        for share in _SHARES
    ]
    counts = ", ".join(
        f"{name} {told['tested scans']:,} ({told['tested patients']:,})"
        for name, told in results["results"].items()
    )
    machine, versions = results["machine"], results["versions"]
    note = (
        f"Tested scans (patients): {counts}. From `benchmarks/results/transfer.json`: "
        f"{machine['processor']}, {machine['cores']} cores, torch {versions['torch']}, "
        f"commit {commits(results)}."
    )
    return _table(("set, labels", *(f"{way} less {AGAINST}" for way in ways)), rows) + f"\n\n{note}"


def _labelled(told: Mapping[str, Any]) -> str:
    least, most = min(told["labelled scans"]), max(told["labelled scans"])
    return f"{least}" if least == most else f"{least} to {most}"


def _plain(found: Mapping[str, Any]) -> str:
    return f"{found['value']:.3f}"


def _gain(found: Mapping[str, Any]) -> str:
    told = f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
    return f"**{told}**" if found["low"] > 0 or found["high"] < 0 else told


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
