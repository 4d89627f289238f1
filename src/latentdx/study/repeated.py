"""`Repeated`: models beside a run's own, of folds, other seeds, without a site; what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latentdx.collection.cases import PLURALS
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.report.evaluate import TestResult
from latentdx.report.fold import Fold
from latentdx.report.folds import fold_warnings, folds_told
from latentdx.report.left_out import Known, LeftOut, left_out_told, left_out_warnings
from latentdx.report.predictions import Predictions
from latentdx.report.seeds import seed_warnings, seeds_sentence, seeds_told
from latentdx.study.settings import RunSettings


@dataclass(frozen=True)
class Repeated:
    """Models that the same steps made: in `folds`, with other `seeds`, without a site."""

    folds: tuple[Fold, ...] = ()
    seeds: tuple[Fold, ...] = ()
    left_out: LeftOut | None = None


def tell_repeated(
    metrics: dict[str, Any],
    repeated: Repeated,
    result: TestResult,
    rivals: Mapping[str, Predictions],
    model: DiagnosticModel,
    settings: RunSettings,
) -> tuple[str, ...]:
    """All of it into ``folds``, ``seeds`` and ``left_out`` and the warnings; a sentence on seeds.

    `result` and `rivals` are of the run's own model.
    """
    folds, seeds, left_out = repeated.folds, repeated.seeds, repeated.left_out
    decided: tuple[str, ...] = ()
    if folds:
        metrics["folds"] = folds_told(
            folds,
            settings.seed,
            coverage=model.sets.coverage,
            prevalence=settings.prevalence,
            counted=PLURALS[model.decide_by],
        )
        metrics["warnings"] += fold_warnings(metrics["folds"])
    if seeds:
        told = seeds_told(result.predictions, rivals, seeds, settings.seed)
        metrics["seeds"] = told
        metrics["warnings"] += seed_warnings(told)
        decided = (seeds_sentence(told),)
    if left_out is not None:
        known = Known.of(folds) if folds else Known.of_test(result)
        metrics["left_out"] = left_out_told(left_out, known, settings.seed)
        metrics["warnings"] += left_out_warnings(metrics["left_out"])
    return decided
