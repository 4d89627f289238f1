"""How long each trial of a search trains: as a run would, or less where time is short."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

from latentdx.autoencoder.engine.data import as_source
from latentdx.autoencoder.engine.model import TrainingModel
from latentdx.autoencoder.engine.plan import make_plan
from latentdx.autoencoder.engine.processes import Processes, best_device
from latentdx.autoencoder.engine.settings import choose_epochs
from latentdx.core.files import write_json
from latentdx.study.choice import ChoiceScans, fresh_member
from latentdx.study.learn import fit_settings
from latentdx.study.settings import RunSettings

_AT_LEAST = 12  # whole trials that should fit into the time
_FEWEST = 2


@dataclass(frozen=True)
class Length:
    """Epochs of a trial, and of a run with the same settings."""

    trial: int
    run: int


def settle_length(
    scans: ChoiceScans, base: RunSettings, minutes: float | None, kept: Path
) -> Length:
    """What is asked for, else what a run would train, cut so that some trials fit into `minutes`.

    A cut is measured on this machine by a few steps of `base`'s member, and kept in the file
    `kept`: a search that goes on, or is prolonged, trains all of its trials alike.
    """
    shape = scans.shape
    whole = choose_epochs(fit_settings(base), len(scans.pool.train), math.prod(shape[1:]))
    if kept.exists():
        return Length(int(json.loads(kept.read_text())["epochs"]), whole)
    epochs = whole
    if minutes is not None and base.epochs is None:
        epochs = max(_FEWEST, min(whole, _affordable(scans, base, minutes / _AT_LEAST)))
    write_json(kept, {"epochs": epochs})
    return Length(epochs, whole)


def _affordable(scans: ChoiceScans, base: RunSettings, minutes: float) -> int:
    """Epochs that take so long on this machine."""
    device = best_device()
    settings = replace(fit_settings(base), minutes=minutes)
    model = TrainingModel(fresh_member(scans, base).to(device), settings, seed=base.seed)
    return make_plan(model, as_source(scans.pool.train), settings, Processes(device)).epochs
