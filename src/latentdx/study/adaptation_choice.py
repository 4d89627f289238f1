"""Which adaptation, if any: by what helps between the sites that a model is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.adapted_head import adapted_head
from latentdx.diagnosis.head import HeadSettings, fit_head
from latentdx.diagnosis.machines_cumulative import scores_by_class
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.features.adapt import FEWEST, METHODS, Adaptation, AdaptChoice, Source
from latentdx.features.covariate_values import columns_of
from latentdx.features.extract import embed
from latentdx.features.table import FeatureTable, extract_table
from latentdx.metrics.bootstrap import Statistic, bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.folds import folded
from latentdx.report.fold import ADAPTED, Fold
from latentdx.study.adaptation import adapt_to, apart_from_own
from latentdx.study.drift import with_reference
from latentdx.study.learn import head_settings
from latentdx.study.prepare import Prepared
from latentdx.study.settings import RunSettings

Floats = NDArray[np.float32]

FEWEST_PATIENTS = 5
"""Of every class, that a site needs to be asked what helps."""
_SURE = 1.0  # standard errors by which a method must help


@dataclass(frozen=True)
class Choice:
    """The method, and by how much each would have helped between the sites learned from."""

    name: Adaptation | None
    gains: dict[str, Any]
    n_sites: int


def with_adaptation(
    prepared: Prepared, model: DiagnosticModel, settings: RunSettings, fold: Fold
) -> Fold:
    """The fold of a place left out, beside it what the model says once it is adapted to the place.

    Without adaptation, where ``auto`` finds that nothing helps, it is the model as it is.
    """
    if settings.adapt == "none":
        return fold
    facts: dict[str, Any] = {"asked": settings.adapt, "method": settings.adapt}
    name: AdaptChoice = settings.adapt
    if name == "auto":
        choice = chosen_adaptation(prepared, model, settings)
        name = choice.name or "none"
        facts |= {"method": name, "gains": choice.gains, "n_sites": choice.n_sites}
    adapted = adapt_to(model, prepared, name)
    told = fold.predictions if adapted is None else adapted.result.predictions
    if adapted is not None:
        own = with_reference(model, prepared, settings.seed)
        facts |= apart_from_own(own, adapted, prepared.load("test"), settings.seed)
    return replace(
        fold,
        rivals={**fold.rivals, ADAPTED: told},
        facts={**fold.facts, "adaptation": facts},
    )


def chosen_adaptation(prepared: Prepared, model: DiagnosticModel, settings: RunSettings) -> Choice:
    """What helps between the sites of train, see `best_between`.

    No scan of tune, calibrate or test is looked at.
    """
    train = prepared.load("train")
    table = extract_table(train, partial(embed, model.encoder, kind=model.kind), extractor_hash="")
    seed = derive_seed(settings.seed, "adaptation")
    sites = _sites(prepared, train, settings)
    return best_between(table, sites, head_settings(settings, prepared.task), seed)


def best_between(
    table: FeatureTable, sites: NDArray[np.str_], settings: HeadSettings, seed: int
) -> Choice:
    """Each site (N,) of a table is left out of a head, which is then adapted to it.

    The method with the greatest mean gain of AUROC within sites, if that is more than its standard
    error; else, and with fewer than two sites of five patients of every class, none.
    """
    names = [name for name in dict.fromkeys(sites.tolist()) if _is_enough(table, sites == name)]
    if len(names) < 2:
        return Choice(None, {}, len(names))
    scored = [_scored(table, sites == name, settings, seed) for name in names]
    rows = np.concatenate([np.flatnonzero(sites == name) for name in names])
    return _best(table.take(rows), sites[rows], scored, seed)


def _sites(prepared: Prepared, scans: LabelledScans, settings: RunSettings) -> NDArray[np.str_]:
    assert settings.leave_out is not None
    column = columns_of(prepared.table, [settings.leave_out])[settings.leave_out]
    of = dict(zip(prepared.table.scan_id.tolist(), column, strict=True))
    return np.array([of[scan_id] for scan_id in scans.scan_ids.tolist()], np.str_)


def _is_enough(train: FeatureTable, rows: NDArray[np.bool_]) -> bool:
    counts = [
        len(np.unique(train.patients[side & (train.labels == label)]))
        for side in (rows, ~rows)
        for label in range(len(train.classes))
    ]
    return min(counts) >= FEWEST_PATIENTS and int(rows.sum()) >= FEWEST


def _scored(
    table: FeatureTable, here: NDArray[np.bool_], settings: HeadSettings, seed: int
) -> dict[str, Floats]:
    """Scores of a site's scans by a head of the others, as it is (``none``) and adapted."""
    own = table.take(np.flatnonzero(~here))
    target = table.embeddings[here]
    head = fit_head(own, settings, n_scans=len(own), seed=seed)
    source = Source.of(own, len(own), head.standardiser, head.components)
    head = replace(head, source=source)
    heads = {"none": head} | {name: adapted_head(head, name, target) for name in METHODS}
    found = {}
    for name, each in heads.items():
        scores = each.scores(target)
        scores = scores_by_class(scores) if head.ordered else scores
        found[name] = scores[:, 0] if scores.shape[1] == 1 else scores
    return found


def _best(
    train: FeatureTable, sites: NDArray[np.str_], scored: Sequence[dict[str, Floats]], seed: int
) -> Choice:
    _, cells = np.unique(sites, return_inverse=True)
    whole = {name: np.concatenate([each[name] for each in scored]) for name in scored[0]}
    values = {name: folded(auroc, train.labels, scores, cells) for name, scores in whole.items()}
    gains: dict[str, Any] = {}
    best: Adaptation | None = None
    most = 0.0
    for name in METHODS:
        generator = numpy_generator(seed, "bootstrap")
        gain = _minus(values[name], values["none"])
        found = bootstrap(gain, train.patients, generator=generator)[0]
        gains[name] = found.as_json()
        if found.value is None or found.low is None or found.high is None:
            continue
        error = (found.high - found.low) / 3.92
        if found.value > max(most, _SURE * error):
            best, most = name, found.value
    return Choice(best, gains, len(scored))


def _minus(one: Statistic, other: Statistic) -> Statistic:
    return lambda weights: one(weights) - other(weights)
