"""A model adapted to the scans of another site, without their labels, beside the model as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.adapted_head import adapted_model
from latentdx.diagnosis.drift_reference import one_each
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.features.adapt import METHODS, Adaptation, AdaptChoice
from latentdx.features.extract import embed
from latentdx.metrics.two_samples import told_apart
from latentdx.report.evaluate import TestResult, evaluate_test
from latentdx.study.gains import ADAPTATION, gain_sentence
from latentdx.study.prepare import Prepared


@dataclass(frozen=True)
class Adapted:
    """What the adapted model says of the scans that it was adapted to; `model` is that model."""

    name: Adaptation
    model: DiagnosticModel
    result: TestResult


def adapt_to(model: DiagnosticModel, prepared: Prepared, asked: AdaptChoice) -> Adapted | None:
    """Adapt a model to the test scans as they look, and score them again; None where not asked.

    Raises `StopError` ``E_ADAPT``, see `adapted_head`, and ``E_OPTION`` of ``auto``.
    """
    if asked == "none":
        return None
    name = _named(asked)
    test = prepared.load("test")
    made = adapted_model(model, name, test.pixels)
    groups = groups_in(prepared.table, test.decided().scan_ids.tolist(), model.sets.column)
    return Adapted(name, made, evaluate_test(made, test, groups))


def tell_adaptation(
    metrics: dict[str, Any],
    model: DiagnosticModel,
    adapted: Adapted,
    before: tuple[TestResult, LabelledScans],
    seed: int,
) -> tuple[str, ...]:
    """The entry ``adaptation`` of ``metrics.json``, and the same in words.

    ``metrics`` are those of the adapted model, ``gain`` is paired, ``told_apart`` how well the site
    is told from the model's own held-out patients by its features, before and after. `before`: what
    `model` itself says of the test scans, and these.
    """
    result, test = before
    gain = adapted.result.predictions.lead_over(result.predictions, seed)
    name, words = result.predictions.judged_by
    own = adapted.result.predictions.metrics(seed)
    metrics["adaptation"] = {
        "method": adapted.name,
        "metrics": {metric: value.as_json() for metric, value in own.items()},
        "gain": gain.as_json(),
        "gain_of": name,
        "told_apart": _told_apart((model.head, adapted.model.head), model, test, seed),
    }
    return (
        f"Adapted to these scans without their labels by '{adapted.name}'; every number here but "
        "this one is of the model as it is.",
        gain_sentence(ADAPTATION, gain, words),
    )


def _named(asked: AdaptChoice) -> Adaptation:
    if asked == "auto" or asked == "none":
        found = "--adapt auto with a finished bundle: without labels nothing tells what helps"
        fix = f"name one of {', '.join(METHODS)}; run --leave-out site --adapt auto chooses"
        raise StopError("E_OPTION", found, fix=fix)
    return asked


def refuse_adaptation(asked: str, task: str) -> None:
    """Raise `StopError` ``E_OPTION`` where something that is not classes is to be adapted."""
    if asked != "none":
        fix = "leave --adapt out: it is for labelled scans of classes and grades"
        raise StopError("E_OPTION", f"--adapt with {task}", fix=fix)


def _told_apart(
    heads: tuple[Head, Head], model: DiagnosticModel, test: LabelledScans, seed: int
) -> dict[str, float] | None:
    """AUROCs of a linear discriminant, one scan a patient; None where no reference is kept."""
    kept = model.reference
    if kept is None:
        return None
    rows = one_each(test.patients, len(test), numpy_generator(seed, "adaptation scans"))
    target = embed(model.encoder, test.pixels[rows], model.kind)
    width = kept.embeddings.shape[1]
    before, after = (
        told_apart(
            kept.embeddings,
            head.reduced(target)[:, :width].astype(np.float64),
            numpy_generator(seed, "adaptation", "told apart"),
        )
        for head in heads
    )
    return {"before": before, "after": after}
