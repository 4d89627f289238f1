"""The step in which a copy of the encoder goes on learning, from labels."""

from __future__ import annotations

from dataclasses import replace

from latentdx.collection.labelled import LabelledScans
from latentdx.collection.tasks import TaskName
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.fine_tune import fine_tune
from latentdx.diagnosis.fine_tune_blocks import FineTune
from latentdx.diagnosis.fine_tune_join import joined
from latentdx.diagnosis.fine_tune_settings import FineTuneSettings
from latentdx.diagnosis.label_losses import parse_loss
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings
from latentdx.study.unlabelled import MOST, MOST_FOR_SCALE, unlabelled_rows

_ONLY_FINE_TUNED = ("loss", "class_weights", "sampling")
FEW = 1000  # labelled scans, above which ``auto`` leaves it: no gain was seen there
_IMAGES = 3  # axes of a scan (C, H, W): what it does for volumes has not been measured
_VIEWS_A_SCAN, _VIEWS = 8, 1024  # shown in an epoch of ``auto``


def blocks_for(settings: RunSettings, prepared: Prepared) -> FineTune:
    """Which blocks are trained: those asked for; ``auto`` asks for all where that has paid.

    That is for a few labelled images of classes, if nothing else was asked for that it does not go
    with, and no time was set (docs/decisions/0028-fine-tuning-by-default.md).
    """
    if settings.fine_tune != "auto":
        return settings.fine_tune
    plain = settings.classifier == "svm" and settings.pool == "mean" and not settings.covariates
    images = len(prepared.collection.shape) == _IMAGES
    few = len(prepared.split.rows("train")) <= FEW
    wanted = prepared.task == "classes" and plain and images and few and settings.minutes is None
    return "all" if wanted else "none"


def check_fine_tuning(settings: RunSettings, task: TaskName, which: FineTune) -> None:
    """Raise `StopError` ``E_OPTION`` for what only fine-tuning can do where it is off.

    Also where it is asked for with other labels than classes. `which` blocks are to be trained.
    """
    if which != "none":
        if task != "classes":
            found = "--fine-tune learns classes, and these labels are others"
            raise StopError("E_OPTION", found, fix="leave it out")
        if settings.covariates:
            # what covariates add could not be told apart from what the network adds
            found = "--fine-tune does not go with --covariates"
            raise StopError("E_OPTION", found, fix="leave one of them out")
        return
    asked = [
        f"--{name.replace('_', '-')} {getattr(settings, name)}"
        for name in _ONLY_FINE_TUNED
        if getattr(settings, name) != RunSettings.model_fields[name].default
    ]
    if settings.semi_supervised == "consistency":
        asked.insert(0, "--semi-supervised consistency")
    if asked:
        found = f"{asked[0]} is for a network that learns from labels, and none does"
        raise StopError("E_OPTION", found, fix="add --fine-tune last, or leave it out")


def fine_tune_settings(settings: RunSettings, which: FineTune, n_labelled: int) -> FineTuneSettings:
    """How a run fine-tunes `which` blocks on so many scans.

    Where it was not asked for, the length is fixed: folds would take three times as long again.
    """
    common = FineTuneSettings(
        which=which,
        loss=parse_loss(settings.loss, settings.class_weights),
        sampling=settings.sampling,
        flip=settings.flip,
        consistency=float(settings.semi_supervised == "consistency"),
    )
    if settings.fine_tune != "auto":
        return common
    views = min(max(_VIEWS_A_SCAN * n_labelled, common.fewest_views), _VIEWS)
    return replace(common, choose=False, fewest_views=views)


def fine_tuned(
    model: DiagnosticModel,
    labelled: LabelledScans,
    prepared: Prepared,
    settings: RunSettings,
    clock: Clock,
) -> DiagnosticModel:
    """The model with a fine-tuned network beside its classifier, calibrated anew; or as it was.

    `labelled` are the scans of train and calibrate (and others, which are not looked at).
    """
    which = blocks_for(settings, prepared)
    if which == "none":
        return model
    clock.step("fine-tune", "Fine-tuning a copy of the encoder on the labels")
    seed = derive_seed(settings.seed, "fine-tune")
    consistent = settings.semi_supervised == "consistency"
    rows = unlabelled_rows(prepared, seed=seed, most=MOST if consistent else MOST_FOR_SCALE)
    if consistent and not len(rows):
        clock.note("no scan is without a label: consistency has nothing to learn from")
    train = labelled.part("train")
    tuned = fine_tune(
        model.encoder,
        train,
        fine_tune_settings(settings, which, len(train)),
        seed=seed,
        unlabelled=prepared.collection.pixels(rows) if len(rows) else None,
        tell=lambda done, total: clock.progress(done, total, "epochs"),
    )
    held = labelled.part("calibrate")
    return joined(model, tuned, held, calibration=settings.calibration, seed=seed)
