"""A head in a bundle: what is told of it, its arrays, and the head again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from numpy.typing import NDArray

from latentdx.bundle.schema import (
    CategoryDescription,
    FineTuneDescription,
    HeadDescription,
    NumberDescription,
    RiskDescription,
    SetsDescription,
)
from latentdx.diagnosis.attention_pool import AttentionPool
from latentdx.diagnosis.calibrations import calibration_from
from latentdx.diagnosis.calibrations import name_of as calibration_of
from latentdx.diagnosis.fine_tuned import FineTuned
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.machines import machine_from, to_arrays
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.own_classifier import OWN, no_classifier
from latentdx.diagnosis.set_rule import SetRule
from latentdx.features.adapt import Source
from latentdx.features.covariates import Category, Covariates, Number
from latentdx.features.whiten import PrincipalComponents, Standardiser

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


def describe_head(model: DiagnosticModel) -> HeadDescription:
    """What of a model's head, prediction sets and abstention is no array.

    Raises `StopError` ``E_CLASSIFIER`` where the classifier is an object.
    """
    head, rule = model.head, model.sets
    assert head.calibration is not None, "calibrate first"
    if head.name == OWN:
        raise no_classifier("a bundle holds arrays only, and this classifier is an object")
    return HeadDescription(
        classifier=head.name,
        strength=head.strength,
        features=model.kind,
        flip=model.flip,
        threshold=head.threshold,
        threshold_target=head.threshold_target,
        cutoff=min(rule.cutoffs),
        coverage=rule.coverage,
        calibration=calibration_of(head.calibration),
        sets=None if rule.kind == "marginal" else _sets(rule),
        risk=None if model.risk is None else RiskDescription(**asdict(model.risk)),
        decide_by=model.decide_by,
        pool="mean" if head.attention is None else "attention",
        covariates=describe_covariates(model.covariates),
        fine_tune=None if model.tuned is None else _fine_tune(model.tuned),
    )


def _fine_tune(tuned: FineTuned) -> FineTuneDescription:
    return FineTuneDescription(**asdict(tuned.facts))


def _sets(rule: SetRule) -> SetsDescription:
    return SetsDescription(
        kind=rule.kind,
        cutoffs=list(rule.cutoffs),
        column=rule.column,
        groups=dict(rule.groups),
        n_small=rule.n_small,
    )


def describe_covariates(
    found: Covariates | None,
) -> list[NumberDescription | CategoryDescription]:
    """What a model reads beside the picture, each column by itself."""
    return [
        NumberDescription(**asdict(column))
        if isinstance(column, Number)
        else CategoryDescription(**{**asdict(column), "levels": list(column.levels)})
        for column in (() if found is None else found.columns)
    ]


def head_parts(head: Head) -> dict[str, dict[str, NDArray[Any]]]:
    """The arrays of a head, by part."""
    parts = {
        "standardiser": head.standardiser,
        "components": head.components,
        "machine": head.machine,
        "calibration": head.calibration,
    }
    found = {part: to_arrays(item) for part, item in parts.items()}
    if head.attention is not None:
        found["attention"] = to_arrays(head.attention)
    if head.source is not None:
        kept = to_arrays(head.source)
        found["source"] = {name: each for name, each in kept.items() if each.dtype != object}
    return found if head.scales is None else {**found, "scales": {"both": head.scales}}


def part_of(arrays: Arrays, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of one part, by their names within it."""
    start = f"{name}."
    return {
        key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)
    }


def head_from(told: HeadDescription, arrays: Arrays, *, ordered: bool = False) -> Head:
    """Undo `head_parts`; `ordered` of grades. Raises KeyError or TypeError where one is missing."""
    pools = told.pool == "attention"
    joins = pools or told.fine_tune is not None
    return Head(
        told.classifier,
        told.strength,
        Standardiser(**part_of(arrays, "standardiser")),
        PrincipalComponents(**part_of(arrays, "components")),
        machine_from(told.classifier, part_of(arrays, "machine"), ordered=ordered),
        calibration_from(told.calibration, part_of(arrays, "calibration"), ordered=ordered),
        told.threshold,
        told.threshold_target,
        part_of(arrays, "scales")["both"] if joins else None,
        attention=AttentionPool(**part_of(arrays, "attention")) if pools else None,
        source=Source(**kept) if (kept := part_of(arrays, "source")) else None,
    )


def sets_from(told: HeadDescription) -> SetRule:
    """The prediction sets of a head that is told of."""
    if (sets := told.sets) is None:
        return SetRule("marginal", (told.cutoff,), told.coverage)
    return SetRule(
        sets.kind, tuple(sets.cutoffs), told.coverage, sets.column, sets.groups, sets.n_small
    )


def covariates_from(
    told: Sequence[NumberDescription | CategoryDescription],
) -> Covariates | None:
    """Undo `describe_covariates`."""
    if not told:
        return None
    columns: list[Number | Category] = []
    for column in told:
        values = column.model_dump(exclude={"kind"})
        if column.kind == "number":
            columns.append(Number(**values))
        else:
            columns.append(Category(**{**values, "levels": tuple(column.levels)}))
    return Covariates(tuple(columns))
