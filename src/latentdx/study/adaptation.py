"""A model adapted to the scans of another site, without their labels, beside the model as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.adapted_head import adapted_model
from latentdx.diagnosis.drift_reference import one_each
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.features.adapt import METHODS, OF_LOOKS, Adaptation, AdaptChoice, LookAdaptation
from latentdx.features.extract import embed
from latentdx.metrics.two_samples import MOST_ROWS, discrepancy, told_apart
from latentdx.report.adaptation import distance_sentences
from latentdx.report.evaluate import TestResult, evaluate_test
from latentdx.study.gains import ADAPTATION, gain_sentence
from latentdx.study.prepare import Prepared


@dataclass(frozen=True)
class Adapted:
    """What the adapted model says of the scans that it was adapted to; `model` is that model.

    `pixels` (N, C, *spatial) are those of the scans, as that model reads them.
    """

    name: Adaptation | LookAdaptation
    model: DiagnosticModel
    pixels: NDArray[np.float32]
    result: TestResult


def adapt_to(model: DiagnosticModel, prepared: Prepared, asked: AdaptChoice) -> Adapted | None:
    """Adapt a model to the test scans as they look, and score them again; None where not asked.

    Raises `StopError` ``E_ADAPT``, see `adapted_head`, and ``E_OPTION`` of ``auto``.
    """
    if asked == "none":
        return None
    name = _named(asked)
    test = prepared.load("test")
    made, pixels = adapted_model(model, name, test.pixels)
    groups = groups_in(prepared.table, test.decided().scan_ids.tolist(), model.sets.column)
    result = evaluate_test(made, replace(test, pixels=pixels), groups)
    return Adapted(name, made, pixels, result)


def tell_adaptation(
    metrics: dict[str, Any],
    model: DiagnosticModel,
    adapted: Adapted,
    before: tuple[TestResult, LabelledScans],
    seed: int,
) -> tuple[str, ...]:
    """The entry ``adaptation`` of ``metrics.json``, and the same in words.

    ``metrics`` are those of the adapted model, ``gain`` is paired, ``told_apart`` and ``distance``
    how far the site lies from the model's own held-out patients, before and after. `before`: what
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
        **(apart := apart_from_own(model, adapted, test, seed)),
    }
    return (
        f"Adapted to these scans without their labels by '{adapted.name}'; every number here but "
        "this one is of the model as it is.",
        gain_sentence(ADAPTATION, gain, words),
        *distance_sentences(apart.get("distance")),
    )


def _named(asked: AdaptChoice) -> Adaptation | LookAdaptation:
    if asked == "auto" or asked == "none":
        found = "--adapt auto with a finished bundle: without labels nothing tells what helps"
        names = ", ".join((*METHODS, *OF_LOOKS))
        fix = f"name one of {names}; run --leave-out site --adapt auto chooses"
        raise StopError("E_OPTION", found, fix=fix)
    return asked


def refuse_adaptation(asked: str, task: str) -> None:
    """Raise `StopError` ``E_OPTION`` where something that is not classes is to be adapted."""
    if asked != "none":
        fix = "leave --adapt out: it is for labelled scans of classes and grades"
        raise StopError("E_OPTION", f"--adapt with {task}", fix=fix)


def apart_from_own(
    model: DiagnosticModel, adapted: Adapted, test: LabelledScans, seed: int
) -> dict[str, Any]:
    """How far a site's scans lie from those that a model keeps, before and after; one a patient.

    ``told_apart``: AUROCs of a linear discriminant. ``distance``: squared maximum mean
    discrepancies with p-values; the kernel is made from the model's own scans. None of either where
    no reference is kept.
    """
    kept = model.reference
    if kept is None:
        return {"told_apart": None, "distance": None}
    rows = one_each(test.patients, len(test), numpy_generator(seed, "adaptation scans"))[:MOST_ROWS]
    width, own = kept.embeddings.shape[1], kept.embeddings
    told: dict[str, Any] = {"told_apart": {}, "distance": {}}
    for name, made, pixels in (
        ("before", model, test.pixels),
        ("after", adapted.model, adapted.pixels),
    ):
        seen = made.head.reduced(embed(made.encoder, pixels[rows], made.kind))
        site = seen[:, :width].astype(np.float64)
        chance = [
            numpy_generator(seed, "adaptation", which) for which in ("told apart", "distance")
        ]
        told["told_apart"][name] = told_apart(own, site, chance[0])
        found = discrepancy(own, site, chance[1])
        told["distance"][name] = None if found is None else found._asdict()
    return told
