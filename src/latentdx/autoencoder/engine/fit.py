"""`pretrain`: an autoencoder learns from scans without labels, resumable to the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.beside import Masks
from latentdx.autoencoder.engine.budget import require_private
from latentdx.autoencoder.engine.checkpoint import CheckpointFolder, Epoch
from latentdx.autoencoder.engine.data import Source, as_source
from latentdx.autoencoder.engine.domains import Domains, require_domains
from latentdx.autoencoder.engine.loop import Training
from latentdx.autoencoder.engine.private import pretrain_private
from latentdx.autoencoder.engine.processes import join
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Watch
from latentdx.core.errors import StopError


class Pool(NamedTuple):
    """Scans (N, C, *size) to learn from, and those on which the best epoch is chosen.

    `units` (N,), 0..P-1, are the patients of the former, where the training is private; `domains`
    are what the objectives that align domains go by, `masks` what ``mask:`` losses go by.
    """

    train: Source | NDArray[Any]
    tune: Source | NDArray[Any]
    units: NDArray[np.int64] | None = None
    domains: Domains | None = None
    masks: Masks | None = None


def pretrain(
    network: Autoencoder,
    pool: Pool,
    settings: FitSettings,
    *,
    seed: int,
    checkpoints: Path | None = None,
    watch: Watch | None = None,
) -> list[Epoch]:
    """Train `network` in place on `pool.train`; the epoch that is best on `pool.tune` is kept.

    Everything random derives from `seed` and the step's number, so a run continued from the folder
    `checkpoints` ends with the same weights, bit for bit, as one that was never stopped. Started
    by ``torchrun`` it trains in all of its processes together.

    With `FitSettings.privacy` it is private, does not repeat to the bit, and keeps the last epoch.

    Raises `StopError` ``E_DIVERGED`` where a loss is no longer finite or explodes and
    ``E_TOO_FEW`` for fewer than 8 scans, `IntegrityError` ``E_CHECKPOINT``; those of
    `require_private`, `plan_privacy` and `require_domains`.
    """
    train, tune = as_source(pool.train), as_source(pool.tune)
    if len(train) < 8:
        raise StopError("E_TOO_FEW", f"{len(train)} scans to learn from", fix="add scans")
    require_domains(settings.objectives, pool.domains)
    processes = join()
    with _exact(settings):
        if settings.privacy is not None:
            require_private(network, settings, processes.count)
            units = np.arange(len(train)) if pool.units is None else pool.units
            told = watch or Watch()
            return pretrain_private(
                network, (train, tune), units, settings, checkpoints=checkpoints, watch=told
            )
        run = Training(
            *(network, train, tune, settings),
            seed=seed,
            processes=processes,
            domains=pool.domains,
            masks=pool.masks,
        )
        run.watch = watch or Watch()
        if checkpoints is not None:
            run.folder = CheckpointFolder(checkpoints)
        run.begin()
        while not run.is_over():
            run.train_epoch()
        network.load_state_dict(run.best)
        network.eval()
        return run.history


@contextmanager
def _exact(settings: FitSettings) -> Iterator[None]:
    """The caller's generators come back; deterministic algorithms only, where asked for."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=devices):
        torch.use_deterministic_algorithms(settings.deterministic or before)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
