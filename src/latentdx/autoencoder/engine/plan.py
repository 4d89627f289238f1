"""`Plan`: what is settled before the first step, and kept in the checkpoint."""

from __future__ import annotations

import copy
import math
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.autoencoder.engine.data import Source
from latentdx.autoencoder.engine.model import TrainingModel
from latentdx.autoencoder.engine.narrow import rounds_well
from latentdx.autoencoder.engine.precision import settle, uses_bf16
from latentdx.autoencoder.engine.processes import Processes
from latentdx.autoencoder.engine.settings import FitSettings, choose_batch, choose_epochs

_USED = 0.9  # of the time that is granted
_LONGEST = 4  # times the epochs of a training without a limit of time
_TIMED = 3


class Plan(NamedTuple):
    """Epochs, scans a batch (over all processes), batches an epoch, and the precision."""

    epochs: int
    batch: int
    n_batches: int
    bf16: bool

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.epochs * self.n_batches


def make_plan(
    model: TrainingModel, train: Source, settings: FitSettings, processes: Processes
) -> Plan:
    """Settle a training: by its settings, the size of its scans, and short trials on this machine.

    Trials are made on a copy of the model with the first scans, by a process that is alone; many
    processes go by their hardware.
    """
    batch = choose_batch(settings, len(train))
    n_batches = len(train) // batch
    n_pixels = math.prod(train.shape[1:])
    epochs = choose_epochs(settings, len(train), n_pixels)
    if processes.count > 1:
        (pixels,) = train.batches([np.arange(8)], processes.device)
        bf16 = uses_bf16(settings.precision, processes.device) and rounds_well(model, pixels)
        return Plan(epochs, batch, n_batches, bf16)
    (pixels,) = train.batches([np.arange(batch)], processes.device)
    parts = pixels.chunk(settings.accumulate)
    bf16 = uses_bf16(settings.precision, processes.device) and rounds_well(model, pixels[:8])
    if settings.precision == "auto" and bf16:
        key: list[Any] = [type(model.network).__name__, model.network.settings(), batch]
        key += [settings.accumulate, sorted(settings.objectives.items())]
        bf16 = settle(model, _trial(parts), steps=epochs * n_batches, key=key)
    if settings.minutes is not None and settings.epochs is None:
        seconds = n_batches * _seconds_a_step(model, _trial(parts), bf16=bf16)
        affordable = int(_USED * 60 * settings.minutes / max(seconds, 1e-9))
        epochs = max(1, min(affordable, _LONGEST * epochs))
    return Plan(epochs, batch, n_batches, bf16)


def _trial(parts: tuple[Tensor, ...]) -> Any:
    """A function that does what a step does, but for the optimizer."""

    def step(model: nn.Module, bf16: bool) -> Tensor:
        total = torch.zeros(())
        for pixels in parts:
            generator = torch.Generator().manual_seed(0)
            with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=bf16):
                terms = model(batch_laid_out(pixels), generator)
            loss = torch.stack([term.float() for term in terms.values()]).sum() / len(parts)
            loss.backward()
            total = total + loss.detach().cpu()
        return total

    return step


def _seconds_a_step(model: nn.Module, step: Any, *, bf16: bool) -> float:
    trial = copy.deepcopy(model)
    step(trial, bf16)
    started = time.perf_counter()
    for _ in range(_TIMED):
        step(trial, bf16)
    return (time.perf_counter() - started) / _TIMED
