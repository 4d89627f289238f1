"""`Curve`: the loss by epoch as one line of text, for a terminal and for logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.engine.watch import Progress

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN = 16


@dataclass
class Curve:
    """The losses so far: on ``tune`` where they are measured, else on the training scans."""

    losses: list[float] = field(default_factory=list)

    def add(self, number: int, epoch: Epoch) -> None:
        """An epoch has ended."""
        self.losses.append(epoch.judged)

    def text(self, at: Progress) -> str:
        """What a progress bar says beside its length."""
        told = f"loss {at.loss:.3f}, {at.images_per_second:,.0f} images/s"
        return f"{told} {sparkline(self.losses)}".rstrip()


def sparkline(values: Sequence[float]) -> str:
    """Bars of eight heights, at most 16; more values are averaged in groups.

    Examples
    --------
    >>> sparkline([4, 2, 1, 0.5])
    '█▄▂▁'
    """
    if not values:
        return ""
    size = -(-len(values) // _SHOWN)
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[int((mean - low) * scale + 0.5)] for mean in means)
