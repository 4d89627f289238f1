"""The step in which a copy of the encoder goes on learning, from labels."""

from __future__ import annotations

from latentdx.collection.labelled import LabelledScans
from latentdx.collection.tasks import TaskName
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.fine_tune import fine_tune
from latentdx.diagnosis.fine_tune_join import joined
from latentdx.diagnosis.fine_tune_settings import FineTuneSettings
from latentdx.diagnosis.label_losses import parse_loss
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.study.prepare import Prepared
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings
from latentdx.study.unlabelled import MOST, MOST_FOR_SCALE, unlabelled_rows

_ONLY_FINE_TUNED = ("loss", "class_weights", "sampling")


def check_fine_tuning(settings: RunSettings, task: TaskName) -> None:
    """Raise `StopError` ``E_OPTION`` for what only fine-tuning can do where it is off.

    Also where it is asked for with other labels than classes.
    """
    if settings.fine_tune != "none":
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


def fine_tune_settings(settings: RunSettings) -> FineTuneSettings:
    """How a run fine-tunes."""
    return FineTuneSettings(
        which=settings.fine_tune,
        loss=parse_loss(settings.loss, settings.class_weights),
        sampling=settings.sampling,
        flip=settings.flip,
        consistency=float(settings.semi_supervised == "consistency"),
    )


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
    if settings.fine_tune == "none":
        return model
    clock.step("fine-tune", "Fine-tuning a copy of the encoder on the labels")
    seed = derive_seed(settings.seed, "fine-tune")
    consistent = settings.semi_supervised == "consistency"
    rows = unlabelled_rows(prepared, seed=seed, most=MOST if consistent else MOST_FOR_SCALE)
    if consistent and not len(rows):
        clock.note("no scan is without a label: consistency has nothing to learn from")
    tuned = fine_tune(
        model.encoder,
        labelled.part("train"),
        fine_tune_settings(settings),
        seed=seed,
        unlabelled=prepared.collection.pixels(rows) if len(rows) else None,
        tell=lambda done, total: clock.progress(done, total, "epochs"),
    )
    held = labelled.part("calibrate")
    return joined(model, tuned, held, calibration=settings.calibration, seed=seed)
