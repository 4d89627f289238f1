"""``--seeds``: the whole training again with other seeds, on the same parts.

A first model is one draw: another seed gives another encoder, other augmented copies, another
classifier. How far its scores move by that alone is no part of an interval over patients.
"""

from __future__ import annotations

import shutil

from torch import nn

from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.report.fold import Fold
from latentdx.study.fold_file import read_fold, write_fold
from latentdx.study.folder import RunFolder
from latentdx.study.folds import make_fold
from latentdx.study.key import study_key
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings

_TASKS = ("classes", "ordinal")


def check_seeds(prepared: Prepared, settings: RunSettings) -> None:
    """Raise `StopError` ``E_OPTION`` of other seeds for several findings a scan or for numbers."""
    if settings.seeds > 1 and prepared.task not in _TASKS:
        fix = "leave --seeds out: it is for classes and grades"
        raise StopError("E_OPTION", f"--seeds with the task {prepared.task!r}", fix=fix)


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
    found = []
    for number in range(2, settings.seeds + 1):
        seed = derive_seed(settings.seed, "seed", number)
        own = settings.model_copy(
            update={"seed": seed, "seeds": 1, "folds": None, "track": (), "language": "en"}
        )
        key = study_key(own, prepared, autoencoder)
        made = read_fold(folder.seed_file(number), key)
        if made is None:
            part = clock.part(f"Seed {number} of {settings.seeds}")
            made = make_fold(number, prepared, own, folder.seed(number), part, autoencoder)
            write_fold(folder.seed_file(number), made, key)
            shutil.rmtree(folder.seed(number).root, ignore_errors=True)
        clock.note(_progress(made))
        found.append(made)
    return tuple(found)


def _progress(made: Fold) -> str:
    auroc = made.predictions.metrics(0, 0)["auroc"].value
    return f"seed {made.number}: AUROC {'not defined' if auroc is None else f'{auroc:.3f}'}"
