"""The step that trains a network from scratch, where one is asked for to compare with."""

from __future__ import annotations

from latentdx.collection.tasks import TaskName
from latentdx.core.errors import StopError
from latentdx.diagnosis.scratch_recipe import Recipe
from latentdx.report.baselines import Rivals
from latentdx.report.predictions import Predictions
from latentdx.report.scratch_rival import scratch_rival
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings


def check_scratch(settings: RunSettings, task: TaskName) -> None:
    """Raise `StopError` ``E_OPTION`` where it is asked for with other labels than classes."""
    if settings.cnn_from_scratch and task != "classes":
        found = "--cnn-from-scratch learns classes, and these labels are others"
        raise StopError("E_OPTION", found, fix="leave it out")


def scratch_step(rivals: Rivals, clock: Clock) -> Predictions:
    """Train it on the labelled scans of train, and say what it says of the test part."""
    clock.step("cnn-from-scratch", "Training a CNN from scratch on the labels, to compare with")
    recipe = Recipe(low_precision=False)  # of small volumes in bfloat16 the loss became NaN
    return scratch_rival(rivals, recipe, lambda done, total: clock.progress(done, total, "steps"))
