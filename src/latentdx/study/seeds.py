"""``--seeds``: the whole training again with other seeds, on the same parts.

A first model is one draw: another seed gives another encoder, other augmented copies, another
classifier. How far its scores move by that alone is no part of an interval over patients.
"""

from __future__ import annotations

from torch import nn

from latentdx.core.seeds import derive_seed
from latentdx.report.fold import Fold
from latentdx.study.folder import RunFolder
from latentdx.study.folds import Cut, require_decisions, tested_cuts
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings


def check_seeds(prepared: Prepared, settings: RunSettings) -> None:
    """Raise `StopError` ``E_OPTION`` of other seeds for several findings a scan or for numbers."""
    if settings.seeds > 1:
        require_decisions(prepared, "--seeds")


def seeds_step(
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    *,
    autoencoder: nn.Module | None = None,
) -> tuple[Fold, ...]:
    """Models of further seeds, scored on the same test part; none where none are asked for.

    The run's own model is the first of `settings.seeds`, and stays the one that is kept: nothing is
    chosen by the others. Finished ones of a run that was stopped are kept.
    """
    if settings.seeds == 1:
        return ()
    clock.step("seeds", "Training again with other seeds")
    cuts = [
        Cut(
            number,
            f"Seed {number} of {settings.seeds}",
            prepared.split,
            _settings(settings, number),
            folder.seed(number),
            folder.seed_file(number),
        )
        for number in range(2, settings.seeds + 1)
    ]
    return tested_cuts(prepared, cuts, clock, autoencoder)


def _settings(settings: RunSettings, number: int) -> RunSettings:
    """As those of a fold."""
    seed = derive_seed(settings.seed, "seed", number)
    return settings.model_copy(update={"seed": seed, "track": (), "language": "en"})
