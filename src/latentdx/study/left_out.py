"""``--leave-out``: each site tested by a model that was made without any scan of it.

A site left out is a run with a split of its own, as a fold is: see `folds_step`.
"""

from __future__ import annotations

from torch import nn

from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.split import Split
from latentdx.collection.split_places import split_leaving_out
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.report.left_out import LeftOut
from latentdx.study.adaptation_choice import with_adaptation
from latentdx.study.folder import RunFolder
from latentdx.study.folds import Cut, require_decisions, tested_cuts
from latentdx.study.places import places_for
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings


def check_left_out(prepared: Prepared, settings: RunSettings) -> None:
    """Before anything is trained, refuse what cannot be left out.

    Raises `StopError` ``E_OPTION`` of several findings a scan and of numbers, and the errors of
    `places_for` and `split_leaving_out`.
    """
    if settings.leave_out is None:
        if settings.adapt != "none":
            fix = "give --leave-out site, or adapt a bundle: latentdx evaluate ... --adapt"
            raise StopError("E_OPTION", "--adapt needs scans to adapt to", fix=fix)
        return
    if settings.adapt != "none" and (settings.covariates or settings.measures):
        fix = "leave one of the two out"
        raise StopError("E_OPTION", "--adapt with --covariates or --measures", fix=fix)
    require_decisions(prepared, "--leave-out")
    splits_without(prepared, settings)


def left_out_step(
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    *,
    autoencoder: nn.Module | None = None,
) -> LeftOut | None:
    """Make a model without each place and test it there; None where that is not asked for.

    What is finished of a run that was stopped is kept. The errors are those of `folds_step`.
    """
    places = places_for(prepared, settings)
    if places is None or settings.leave_out is None:
        return None
    clock.step("left-out", f"Testing each value of {settings.leave_out} by a model without it")
    cuts = [
        Cut(
            number,
            f"Without {name}",
            split,
            _settings(settings, number),
            folder.left_out(number),
            folder.left_out_file(number),
            with_adaptation,
        )
        for number, (name, split) in enumerate(splits_without(prepared, settings), 1)
    ]
    found = tested_cuts(prepared, cuts, clock, autoencoder)
    return LeftOut(settings.leave_out, places.tested, places.others, found)


def splits_without(prepared: Prepared, settings: RunSettings) -> list[tuple[str, Split]]:
    """For each place its name, and the split that holds all of its scans out."""
    places = places_for(prepared, settings)
    assert places is not None
    table = prepared.table
    near = kept_near_duplicates(prepared.collection, table).joining(len(table))
    return [
        (
            name,
            split_leaving_out(
                table,
                places,
                name,
                seed=derive_seed(settings.seed, "left out", number),
                labelled=settings.labelled,
                near=near,
            ),
        )
        for number, name in enumerate(places.tested, 1)
    ]


def _settings(settings: RunSettings, number: int) -> RunSettings:
    """As those of a fold."""
    seed = derive_seed(settings.seed, "left out", number)
    return settings.model_copy(update={"seed": seed, "track": (), "language": "en"})
