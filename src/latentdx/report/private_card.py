"""What a model card says of private training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.report.card import count, field_of, number


def private_section(metrics: Mapping[str, Any]) -> str:
    """A section of the card, from ``privacy`` of the metrics; ``""`` where nothing was private."""
    told = metrics.get("privacy")
    if not told:
        return ""
    drawn = f"{count(told['steps'])} steps, each with {100 * told['rate']:.1f} % of them"
    return (
        "## Differential privacy\n\n"
        f"The weights of the autoencoder were trained by DP-SGD: epsilon {told['epsilon']:g}, "
        f"delta {told['delta']:g}, the unit being a {told['unit']} "
        f"({count(field_of(told, 'n_units'))} of them, {drawn}, noise {number(told['noise'])}; "
        "accountant: Renyi DP). Classifier, calibration, the reference for drift and the numbers "
        "of this card are not covered."
    )
