"""What is said of an encoder that learned together with other sites, which share no scans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.report.card import count


def federated_sentences(told: Mapping[str, Any]) -> list[str]:
    """For pages, cards and consoles; nothing where `told` is empty.

    Examples
    --------
    >>> told = {"site": "north", "rounds": 5, "epochs": 2, "proximal": 0.0, "sites": {
    ...     "north": {"scans": 1200}, "south": {"scans": 800}}}
    >>> federated_sentences(told)[0]
    'The encoder learned at 2 sites that share no scans: north (1,200 scans), south (800 scans).'
    """
    if not told:
        return []
    sites = told["sites"]
    named = ", ".join(f"{name} ({count(each['scans'])} scans)" for name, each in sites.items())
    found = [f"The encoder learned at {len(sites)} sites that share no scans: {named}."]
    rounds, epochs = told["rounds"], told["epochs"]
    found.append(f"Weights averaged: {rounds} times; passes over own scans before each: {epochs}.")
    if told["proximal"]:
        found.append(f"Weights were held near the common ones (FedProx, mu {told['proximal']:g}).")
    found.append(
        f"Only scans of {told['site']} that it learned from are on record here: a patient who was "
        "at another site, too, is not recognised."
    )
    return found
