"""The models that are made beside a run's own where they are asked for."""

from __future__ import annotations

from torch import nn

from latentdx.study.folder import RunFolder
from latentdx.study.folds import check_folds, folds_step
from latentdx.study.left_out import check_left_out, left_out_step
from latentdx.study.prepare import Prepared
from latentdx.study.repeated import Repeated
from latentdx.study.reporter import Clock
from latentdx.study.seeds import check_seeds, seeds_step
from latentdx.study.settings import RunSettings


def check_repeated(prepared: Prepared, settings: RunSettings) -> None:
    """Before anything is trained, refuse what cannot be made: `StopError`."""
    check_folds(prepared, settings)
    check_seeds(prepared, settings)
    check_left_out(prepared, settings)


def repeated_step(
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    *,
    autoencoder: nn.Module | None = None,
) -> Repeated:
    """Make what is asked for; what an interrupted run has finished of it is kept."""
    return Repeated(
        folds_step(prepared, settings, folder, clock, autoencoder=autoencoder),
        seeds_step(prepared, settings, folder, clock, autoencoder=autoencoder),
        left_out_step(prepared, settings, folder, clock, autoencoder=autoencoder),
    )
