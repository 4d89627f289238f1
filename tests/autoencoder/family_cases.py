"""Small members of the family, for laws that hold at every size."""

from __future__ import annotations

from typing import Any

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import build

# What makes a member small where it has no `widths`.
_SMALL: dict[str, dict[str, Any]] = {
    "masked-vit": {"width": 32, "depth": 2, "decoder_width": 16, "decoder_depth": 1},
    "vector-quantised": {"widths": (8, 16), "n_codes": 32, "prior_width": 8, "prior_layers": 2},
}

SHAPES = [
    *[(1, (28, 28)), (1, (29, 31)), (3, (29, 29)), (5, (16, 20))],
    *[(1, (13, 14, 15)), (2, (16, 16, 16))],
]
"""(channels, size): odd, uneven, many channels, volumes."""


def small(
    name: str, *, channels: int = 1, size: Any = 16, seed: int = 0, **more: Any
) -> Autoencoder:
    """A member of few weights."""
    settings = {"channels": channels, "size": size, **_SMALL.get(name, {"widths": (8, 16)})}
    return build(name, {**settings, **more}, seed=seed)
