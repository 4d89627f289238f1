"""What is said of what was asked of the autoencoder while it learned: alignment, looks, focus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.report.card import count, markdown

_LENT = {"fourier": "amplitudes", "style": "grey levels"}


def alignment_words(told: Mapping[str, Any]) -> str:
    """One line, for the console and for what a report says of how it was made.

    Examples
    --------
    >>> alignment_words({"objectives": {"deep-coral": 1.0}, "column": "site",
    ...                  "values": {"A": 1200, "B": 90}, "unknown": 3})
    'deep-coral (weight 1) by site: A (1,200 scans), B (90 scans); others or unknown: 3 scans'
    """
    how = ", ".join(f"{name} (weight {weight:g})" for name, weight in told["objectives"].items())
    values = ", ".join(f"{name} ({count(n)} scans)" for name, n in told["values"].items())
    rest = f"; others or unknown: {count(told['unknown'])} scans" if told["unknown"] else ""
    return f"{how} by {told['column']}: {values}{rest}"


def alignment_section(metrics: Mapping[str, Any]) -> str:
    """A section of the card, from ``alignment`` of the metrics; ``""`` without one."""
    told = metrics.get("alignment")
    if not told:
        return ""
    return (
        "## Aligned while the autoencoder learned\n\n"
        f"{markdown(alignment_words(told))}. The encoder was asked not to tell these apart. Where "
        "they differ in how many are ill, it may have lost some of that, too."
    )


def looks_words(told: Mapping[Any, float]) -> str:
    """What scans borrowed from each other, as ``views`` of the metrics has it.

    Examples
    --------
    >>> looks_words({"fourier": 0.5, "style": 1.0})
    'amplitudes (fourier, up to 50 %), grey levels (style, up to 100 %)'
    """
    return ", ".join(
        f"{_LENT.get(name, name)} ({name}, up to {float(share):.0%})".replace("%", " %")
        for name, share in told.items()
    )


def looks_section(metrics: Mapping[str, Any]) -> str:
    """A section of the card, from ``views`` of the metrics; ``""`` without any."""
    told = metrics.get("views")
    if not told:
        return ""
    return (
        "## Looks that were borrowed while the autoencoder learned\n\n"
        f"Scans were shown with a share of another scan's {markdown(looks_words(told))}, so that "
        "the encoder overlooks how a site's scans look. Whether it helped tells only a run without "
        "it."
    )


def focus_words(told: Mapping[str, Any]) -> str:
    """Of how many scans the focus knew where to look, as ``focus`` of the metrics has it.

    Examples
    --------
    >>> focus_words({"part": "mask", "with_mask": 1190, "scans": 1200})
    '1,190 of 1,200 scans have a mask'
    """
    return f"{count(told['with_mask'])} of {count(told['scans'])} scans have a mask"


def focus_section(metrics: Mapping[str, Any]) -> str:
    """A section of the card, from ``focus`` of the metrics; ``""`` without one."""
    told = metrics.get("focus")
    if not told:
        return ""
    return (
        "## Where the autoencoder was to be right\n\n"
        "Errors of reconstruction outside of masks that were given with the scans counted less: "
        f"{focus_words(told)}; in the others all pixels counted alike."
    )
