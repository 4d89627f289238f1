"""`FitSettings`: how long, how fast and how exactly an autoencoder learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from latentdx.collection.augment import VIEWS, AugmentSettings

Precision = Literal["auto", "fp32", "bf16"]
Schedule = Literal["cosine", "constant", "schedule-free"]
Sharding = Literal["none", "full"]
Keep = Literal["best", "last"]


@dataclass(frozen=True)
class Privacy:
    """What private training is to guarantee a patient; `delta` None: by their number."""

    epsilon: float
    delta: float | None = None


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast an autoencoder learns.

    Attributes
    ----------
    epochs: passes over the scans, or None for `scans_seen` in all.
    scans_seen: where `epochs` is None: scans seen over all epochs at 28 x 28 pixels; larger scans
        are seen fewer times (see `choose_epochs`).
    batch_size: scans a step over all processes, at most; small collections use smaller batches.
        Few scans and few epochs want many steps: 64 beat 256 at equal time (docs/research.md).
    accumulate: parts into which each batch is split to save memory; their gradients are summed.
    learning_rate: the highest, None for the network's own.
    schedule: after a warm-up over the first `warmup` of the steps a ``cosine`` to zero, a
        ``constant``, or ``schedule-free`` averaging (Defazio et al., NeurIPS 2024).
    weight_decay: of AdamW, which is Adam where it is 0.
    clip: largest norm of a step's gradient, 0 for any.
    ema: decay a step of the averaged weights that are judged and kept, or None for the last ones.
    patience: fraction of the epochs without a better loss on ``tune`` after which training ends.
    minutes: wall time that may be used: `epochs` None is fitted to it, and training ends when it
        is over; a run ended by time is not reproducible.
    precision: ``auto`` is settled by a short measured trial.
    objectives: weights by name of what is learned beside reconstruction.
    augment: of every batch before the loss, or None; views: of the objectives that need two views.
    deterministic: only algorithms that repeat to the bit (matters on a GPU).
    sharding: between processes: ``full`` shards weights, gradients and optimizer (FSDP).
    checkpoint_seconds: a checkpoint is written at least so often, beside one after every epoch.
    privacy: train with differential privacy (see `engine.private`), or None.
    keep: which epoch's weights: the ``best`` on ``tune``, or the ``last``, without an early end.
    round_of: the number of this training, from 0, among how many that make one whole: schedules,
        and what privacy is to cost, go by the whole.
    proximal: how strongly weights are held near those that the training begins with (see
        `engine.proximal`), 0 for not at all.
    """

    epochs: int | None = None
    scans_seen: int = 56_000
    batch_size: int = 64
    accumulate: int = 1
    learning_rate: float | None = None
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    weight_decay: float = 1e-4
    clip: float = 5.0
    ema: float | None = None
    patience: float = 0.3
    minutes: float | None = None
    precision: Precision = "auto"
    objectives: Mapping[str, float] = field(default_factory=dict)
    augment: AugmentSettings | None = None
    views: AugmentSettings = VIEWS
    deterministic: bool = False
    sharding: Sharding = "none"
    checkpoint_seconds: float = 60.0
    privacy: Privacy | None = None
    # Not in the text that keys of checkpoints are made of: those of trainings at one place stay.
    keep: Keep = field(default="best", repr=False)
    round_of: tuple[int, int] = field(default=(0, 1), repr=False)
    proximal: float = field(default=0.0, repr=False)


def choose_epochs(settings: FitSettings, n_scans: int, n_pixels: int) -> int:
    """Epochs for `n_scans` of `n_pixels` pixels (voxels): the same work for any number of scans.

    Cost grows with the number of pixels, so larger scans are seen fewer times.

    Examples
    --------
    >>> choose_epochs(FitSettings(), 4700, 28 * 28)
    12
    """
    if settings.epochs is not None:
        return settings.epochs
    seen = settings.scans_seen * min(1.0, 28 * 28 / n_pixels) ** 0.625
    return int(np.clip(round(seen / n_scans), 6, 200))


def choose_batch(settings: FitSettings, n_scans: int) -> int:
    """Small collections use smaller batches: at least six steps an epoch where 8 scans make one."""
    return min(settings.batch_size, max(8, n_scans // 6))
