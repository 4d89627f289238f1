"""A model adapted to the scans of another site, without their labels, beside the model as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.core.errors import StopError
from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.by_site import SitePart, compute_by_site
from latentdx.diagnosis.drift_reference import one_each
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.scan_groups import groups_in
from latentdx.features.adapt import (
    FEWEST,
    METHODS,
    OF_LOOKS,
    Adaptation,
    AdaptChoice,
    LookAdaptation,
)
from latentdx.features.extract import embed
from latentdx.metrics.two_samples import MOST_ROWS, discrepancy, told_apart
from latentdx.report.adaptation import adapted_sentences, distance_sentences
from latentdx.report.evaluate import TestResult, tested
from latentdx.study.adaptation_sites import site_parts, sites_of
from latentdx.study.gains import ADAPTATION, gain_sentence
from latentdx.study.prepare import Prepared


@dataclass(frozen=True)
class Adapted:
    """What adapted models say of the scans that they were adapted to, site by site."""

    name: Adaptation | LookAdaptation
    parts: tuple[SitePart, ...]
    result: TestResult

    @property
    def by_site(self) -> bool:
        """Whether sites were told apart."""
        return len(self.parts) > 1


def adapt_to(
    model: DiagnosticModel, prepared: Prepared, asked: AdaptChoice, *, by_site: bool = False
) -> Adapted | None:
    """Adapt a model to the test scans as they look, and score them again; None where not asked.

    `by_site`: to each site by itself, see `site_parts`; else to all together. Raises `StopError`
    ``E_ADAPT``, see `adapted_head`, and ``E_OPTION`` of ``auto``.
    """
    if asked == "none":
        return None
    name = _named(asked)
    test = prepared.load("test")
    nowhere = np.full(len(test), "", np.str_)
    parts = site_parts(model, name, test, sites_of(prepared.table, test) if by_site else nowhere)
    groups = groups_in(prepared.table, test.decided().scan_ids.tolist(), model.sets.column)
    cases = None if test.cases is None else test.together()
    outputs = compute_by_site(model, parts, groups, cases)
    return Adapted(name, parts, tested(outputs, test, ordered=model.head.ordered))


def tell_adaptation(
    metrics: dict[str, Any],
    model: DiagnosticModel,
    adapted: Adapted,
    before: tuple[TestResult, LabelledScans],
    seed: int,
) -> tuple[str, ...]:
    """The entry ``adaptation`` of ``metrics.json``, and the same in words.

    ``metrics`` are those of the adapted model, ``gain`` is paired, ``told_apart`` and ``distance``
    how far the site lies from the model's own held-out patients, before and after; ``sites``, where
    they were told apart, holds the counts, the gain and the distance of each. `before`: what
    `model` itself says of the test scans, and these.
    """
    result, test = before
    gain = adapted.result.predictions.lead_over(result.predictions, seed)
    name, words = result.predictions.judged_by
    own = adapted.result.predictions.metrics(seed)
    apart = apart_from_own(model, adapted, test, seed)
    sites = _sites_told(model, adapted, before, seed) if adapted.by_site else []
    metrics["adaptation"] = {
        "method": adapted.name,
        "metrics": {metric: value.as_json() for metric, value in own.items()},
        "gain": gain.as_json(),
        "gain_of": name,
        **apart,
        **({"sites": sites} if sites else {}),
    }
    return (
        *adapted_sentences(adapted.name, sites, FEWEST),
        gain_sentence(ADAPTATION, gain, words),
        *distance_sentences(apart.get("distance")),
    )


def _sites_told(
    model: DiagnosticModel,
    adapted: Adapted,
    before: tuple[TestResult, LabelledScans],
    seed: int,
) -> list[dict[str, Any]]:
    """Of each site how many scans it has and, where it was adapted to, what that changed there.

    The gain is of what is decided there: a study or a patient counts for its first scan's site.
    """
    result, test = before
    first = np.arange(len(test)) if test.cases is None else test.together().first
    found = []
    for part in adapted.parts:
        told: dict[str, Any] = {"name": part.name, "n_scans": len(part.rows)}
        told["adapted"] = part.adapted
        if part.adapted:
            rows = np.isin(first, part.rows)
            there = adapted.result.predictions.take(rows)
            told["gain"] = there.lead_over(result.predictions.take(rows), seed).as_json()
            alone = replace(adapted, parts=(part,))
            told |= apart_from_own(model, alone, test, seed)
        found.append(told)
    return found


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
    """How far the scans of sites lie from those that a model keeps, before and after.

    One scan a patient. ``told_apart``: AUROCs of a linear discriminant. ``distance``: squared
    maximum mean discrepancies with p-values; the kernel is made from the model's own scans. None of
    either where no reference is kept.
    """
    kept = model.reference
    if kept is None:
        return {"told_apart": None, "distance": None}
    there = np.sort(np.concatenate([part.rows for part in adapted.parts]))
    drawn = one_each(test.patients[there], len(there), numpy_generator(seed, "adaptation scans"))
    rows = there[drawn][:MOST_ROWS]
    width, own = kept.embeddings.shape[1], kept.embeddings
    told: dict[str, Any] = {"told_apart": {}, "distance": {}}
    for name, seen in (
        ("before", model.head.reduced(embed(model.encoder, test.pixels[rows], model.kind))),
        ("after", _reduced(adapted.parts, rows)),
    ):
        site = seen[:, :width].astype(np.float64)
        chance = [
            numpy_generator(seed, "adaptation", which) for which in ("told apart", "distance")
        ]
        told["told_apart"][name] = told_apart(own, site, chance[0])
        found = discrepancy(own, site, chance[1])
        told["distance"][name] = None if found is None else found._asdict()
    return told


def _reduced(parts: Sequence[SitePart], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Components of the scans at `rows`, each as the model of its site reads it."""
    found, places = [], []
    for part in parts:
        chosen = np.flatnonzero(np.isin(part.rows, rows))
        if len(chosen):
            made, pixels = part.model, part.pixels[chosen]
            found.append(made.head.reduced(embed(made.encoder, pixels, made.kind)))
            places.append(part.rows[chosen])
    order = np.argsort(np.concatenate(places), kind="stable")
    whole: NDArray[np.float32] = np.concatenate(found)[order]
    return whole
