"""``--folds``: every labelled scan tested once, by a model that was made without its patient.

A fold is a run with a split of its own: the same steps learn an encoder, a kind of features, a
classifier, its strength, probabilities, threshold and prediction sets from the other folds, and
score the fold beside the baselines.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from latentdx.collection.audit import audit
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.split import LABELLED_PARTS, Split
from latentdx.collection.split_folds import split_into_folds
from latentdx.core.errors import LeakageError, StopError
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.calibrations import name_of
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.features.shortcuts import Shortcuts
from latentdx.report.fold import Fold
from latentdx.study.assess import score_step
from latentdx.study.covariates import fit_covariates
from latentdx.study.features_choice import classes_step
from latentdx.study.fold_file import read_fold, write_fold
from latentdx.study.folder import RunFolder
from latentdx.study.key import study_key
from latentdx.study.learn import pretrain_step
from latentdx.study.predictions_file import prediction_rows
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings

TASKS = ("classes", "ordinal")
"""What can be tested in folds."""

More = Callable[[Prepared, DiagnosticModel, RunSettings, Fold], Fold]
"""Adds to a fold what is told of its model besides."""


def check_folds(prepared: Prepared, settings: RunSettings) -> None:
    """Before anything is trained, refuse folds that cannot be made.

    Raises `StopError` ``E_OPTION`` of several findings a scan and of numbers, and the errors of
    `split_into_folds`.
    """
    if settings.folds is None:
        return
    require_decisions(prepared, "--folds")
    splits_of(prepared, settings)


def require_decisions(prepared: Prepared, option: str) -> None:
    """Raise `StopError` ``E_OPTION`` of several findings a scan and of numbers."""
    if prepared.task not in TASKS:
        fix = f"leave {option} out: it is for classes and grades"
        raise StopError("E_OPTION", f"{option} with the task {prepared.task!r}", fix=fix)


def folds_step(
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    *,
    autoencoder: nn.Module | None = None,
) -> tuple[Fold, ...]:
    """Make and test a model for each fold; none where no folds are asked for.

    Finished folds of a run that was stopped are kept. `autoencoder`: a user's own module, of which
    each fold trains a copy. Raises `LeakageError` ``E_LEAKAGE`` where a fold's test scans are found
    in its other parts, which its split does not allow.
    """
    if settings.folds is None:
        return ()
    clock.step("folds", "Testing every scan once")
    cuts = [
        Cut(
            number,
            f"Fold {number} of {settings.folds}",
            split,
            _settings(settings, number),
            folder.fold(number),
            folder.fold_file(number),
        )
        for number, split in enumerate(splits_of(prepared, settings), 1)
    ]
    return tested_cuts(prepared, cuts, clock, autoencoder)


@dataclass(frozen=True)
class Cut:
    """A split whose test part is to be tested by a model of its own.

    `title` is shown before its steps; `folder` is for its training, `file` for what it leaves.
    `more`: what is told of the model besides.
    """

    number: int
    title: str
    split: Split
    settings: RunSettings
    folder: RunFolder
    file: Path
    more: More | None = None


def tested_cuts(
    prepared: Prepared, cuts: Sequence[Cut], clock: Clock, autoencoder: nn.Module | None
) -> tuple[Fold, ...]:
    """Make and test a model for each cut; finished ones are read."""
    found: list[Fold] = []
    seconds: list[float] = []
    for cut in cuts:
        key = study_key(cut.settings, replace(prepared, split=cut.split), autoencoder)
        fold = read_fold(cut.file, key)
        if fold is None:
            started = time.monotonic()
            same = cut.split is prepared.split
            own = prepared if same else parted(prepared, cut.split, cut.settings)
            part = clock.part(cut.title)
            fold = make_fold(
                cut.number, own, cut.settings, cut.folder, part, autoencoder, more=cut.more
            )
            write_fold(cut.file, fold, key)
            shutil.rmtree(cut.folder.root, ignore_errors=True)
            seconds.append(time.monotonic() - started)
        found.append(fold)
        clock.note(_progress(cut.title, fold, len(cuts) - len(found), seconds))
    return tuple(found)


def make_fold(  # noqa: PLR0913 - a run in small
    number: int,
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    autoencoder: nn.Module | None = None,
    *,
    more: More | None = None,
) -> Fold:
    """Learn from a fold's own parts, by the steps of any run, and score its test part.

    `more`: what is told of the model besides.
    """
    pretrained = pretrain_step(prepared, settings, folder, clock, autoencoder=autoencoder)
    model, _ = classes_step(prepared, pretrained.network, settings, clock)
    scored = score_step(prepared, model, settings, clock)
    header, rows = prediction_rows(prepared, scored.result)
    fold = Fold(
        number,
        scored.result.predictions,
        scored.result.outputs.sets,
        scored.rivals,
        _facts(prepared, model),
        header,
        tuple(rows),
        tuple(scored.result.scans.scan_ids.tolist()),
    )
    found = fold if more is None else more(prepared, model, settings, fold)
    clock.stop()
    return found


def _facts(prepared: Prepared, model: DiagnosticModel) -> dict[str, Any]:
    """What was chosen, and from how many scans."""
    counts = prepared.split.counts()
    assert model.head.calibration is not None, "calibrate first"
    return {
        "parts": {name: counts[name] for name in (*LABELLED_PARTS, "pretrain", "excluded")},
        "features": model.kind,
        "strength": float(model.head.strength),
        "calibration": name_of(model.head.calibration),
        "threshold": model.head.threshold,
    }


def splits_of(prepared: Prepared, settings: RunSettings) -> list[Split]:
    """The split of each fold; see `split_into_folds`."""
    assert settings.folds is not None
    table = prepared.table
    near = kept_near_duplicates(prepared.collection, table).joining(len(table))
    return split_into_folds(
        table,
        settings.folds,
        seed=derive_seed(settings.seed, "folds"),
        labelled=settings.labelled,
        near=near,
    )


def parted(prepared: Prepared, split: Split, settings: RunSettings) -> Prepared:
    """The scans of a run, parted for one fold; what covariates are like is learned from its own."""
    near = kept_near_duplicates(prepared.collection, prepared.table)
    found = audit(prepared.table, split.parts, near)
    own = replace(
        prepared,
        split=split,
        audit=found,
        covariates=fit_covariates(prepared.table, split, settings.covariates),
        shortcuts=Shortcuts(),
    )
    if own.invalid is not None:
        raise LeakageError("E_LEAKAGE", own.invalid, fix="report this: folds must not leak")
    return own


def _settings(settings: RunSettings, number: int) -> RunSettings:
    """Those of the run, with other chance; trackers follow the run's own training.

    A fold writes no page: the language is none of its own.
    """
    seed = derive_seed(settings.seed, "fold", number)
    return settings.model_copy(update={"seed": seed, "track": (), "language": "en"})


def _progress(title: str, fold: Fold, n_left: int, seconds: list[float]) -> str:
    """What a fold came to, and how long the others will take."""
    auroc = fold.predictions.metrics(0, 0)["auroc"].value
    told = (
        f"{title[0].lower()}{title[1:]}: AUROC {'not defined' if auroc is None else f'{auroc:.3f}'}"
    )
    if not seconds:
        return f"{told}, as it was found before"
    if not n_left:
        return told
    minutes = n_left * sum(seconds) / len(seconds) / 60
    return f"{told}; about {minutes:.0f} min left for {n_left} more"
