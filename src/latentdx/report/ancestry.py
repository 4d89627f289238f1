"""What is said of the weights that an encoder began from, on pages, cards and consoles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latentdx.report.card import count, field_of, markdown
from latentdx.report.federated import federated_sentences

_SHOWN = 12  # of a SHA-256


def ancestry_sentences(ancestry: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of records of an encoder's beginnings, the latest first: nothing where there are none.

    Examples
    --------
    >>> record = {"from": "starter", "sha256": 64 * "a", "taken": 33, "adapted": [], "left": [],
    ...           "frozen": 0, "trained": True, "seen": 4000, "seen_all": True,
    ...           "learned_from": []}
    >>> ancestry_sentences([record])[0]
    'The encoder began from the weights of starter (SHA-256 aaaaaaaaaaaa), not from random ones.'
    """
    if not ancestry:
        return []
    first, *before = ancestry
    found = [f"The encoder began from the weights of {_called(first)}, not from random ones."]
    found.append(f"{count(first['taken'])} arrays of weights were taken as they were.")
    if first["adapted"]:
        names = ", ".join(first["adapted"])
        found.append(f"Adapted to another number of channels: {names}.")
    if first["left"]:
        names = ", ".join(first["left"])
        found.append(f"Drawn anew, as nothing fitting was there: {names}.")
    if first["frozen"]:
        found.append(f"Blocks at its input whose weights were kept: {first['frozen']}.")
    if first.get("low_rank"):
        found.append(f"Its kernels learned by changes of rank {first['low_rank']} alone.")
    if not first["trained"]:
        found.append("No weight was trained further: its statistics alone are of these scans.")
    if first["learned_from"]:
        found.append(f"They learned from public sets: {', '.join(first['learned_from'])}.")
    found += federated_sentences(first.get("federated", {}))
    for each in before:
        found.append(f"Those had begun from the weights of {_called(each)}.")
        found += federated_sentences(each.get("federated", {}))
    return [*found, _seen(first)]


def _called(record: Mapping[str, Any]) -> str:
    return f"{record['from']} (SHA-256 {str(record['sha256'])[:_SHOWN]})"


def _seen(record: Mapping[str, Any]) -> str:
    if record.get("federated", {}).get("began_known"):
        return (
            f"The record of their own site names {count(record['seen'])} pictures or patients: no "
            "held-out scan is among them, as far as equal pictures and the same pseudonyms tell."
        )
    if not record["seen_all"]:
        return (
            "It is not recorded which scans these weights learned from: if some of the test part "
            "or of its patients were among them, the scores are too good."
        )
    return (
        f"Their record names {count(record['seen'])} pictures or patients that they learned from: "
        "no held-out scan is among them, as far as equal pictures and the same pseudonyms tell."
    )


def transfer_of(ancestry: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entry ``transfer`` of ``metrics.json``, or nothing."""
    if not ancestry:
        return {}
    told = {"sentences": ancestry_sentences(ancestry), "ancestry": [dict(a) for a in ancestry]}
    return {"transfer": told}


def transfer_section(metrics: Any) -> str:
    """The section of a card, or ``""``."""
    sentences = field_of(metrics, "transfer", "sentences")
    if not sentences:
        return ""
    return "## What the encoder began from\n\n" + " ".join(map(markdown, sentences))
