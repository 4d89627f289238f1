"""`Watch`: who is told of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from latentdx.autoencoder.engine.checkpoint import Epoch


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows: `step` of `steps`, the running loss, the speed, the time left."""

    step: int
    steps: int
    loss: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Watch:
    """Told of a training's progress, and of each finished epoch by number (from 1)."""

    progress: Callable[[Progress], None] = lambda _: None
    epoch: Callable[[int, Epoch], None] = lambda _, __: None
