"""A model of numbers in a bundle: what is told of it, its arrays, and the model again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import name_of
from latentdx.bundle.heads import Arrays, covariates_from, describe_covariates, part_of
from latentdx.bundle.schema import (
    EncoderDescription,
    GateDescription,
    ValueDescription,
    ValueHeadDescription,
)
from latentdx.core.version import VERSION
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.gate_header import Headers
from latentdx.diagnosis.machines import to_arrays
from latentdx.diagnosis.regression_head import RegressionHead, Target
from latentdx.diagnosis.regression_model import IntervalRule, RegressionModel
from latentdx.diagnosis.regressors import regressor_from
from latentdx.features.whiten import PrincipalComponents, Standardiser
from latentdx.scans.policy import Policy


def describe_values(
    model: RegressionModel, split_hash: str, counts: Mapping[str, int], *, seed: int
) -> ValueDescription:
    """The content of ``bundle.json``."""
    head, rule, headers = model.head, model.sets, model.gate.headers
    return ValueDescription(
        made_by=f"latentdx {VERSION}",
        task="regression",
        units=model.units,
        encoder=EncoderDescription(name=name_of(model.encoder), settings=model.encoder.settings()),
        head=ValueHeadDescription(
            regressor=head.name,
            strength=head.strength,
            features=model.kind,
            flip=model.flip,
            half_width=rule.half_width if math.isfinite(rule.half_width) else None,
            coverage=rule.coverage,
            n_patients=rule.n_patients,
            decide_by=model.decide_by,
            covariates=describe_covariates(model.covariates),
        ),
        gate=GateDescription(
            rate=model.gate.rate,
            modalities=list(headers.modalities),
            proportions=list(headers.proportions),
        ),
        reading=asdict(model.policy),
        rules=list(model.rules),
        split_hash=split_hash,
        counts=dict(counts),
        seed=seed,
    )


def value_parts(model: RegressionModel) -> dict[str, dict[str, NDArray[Any]]]:
    """The arrays of the head and the gate, by part."""
    parts = {
        "standardiser": model.head.standardiser,
        "components": model.head.components,
        "machine": model.head.machine,
        "target": model.head.target,
    }
    arrays = {part: to_arrays(item) for part, item in parts.items()}
    return {**arrays, "gate": model.gate.to_arrays()}


def value_model(
    description: ValueDescription, network: Autoencoder, arrays: Arrays
) -> RegressionModel:
    """Undo both. Raises KeyError, TypeError or ValueError where parts are missing or do not fit."""
    told, gate = description.head, description.gate
    part = partial(part_of, arrays)
    head = RegressionHead(
        told.regressor,
        told.strength,
        Standardiser(**part("standardiser")),
        PrincipalComponents(**part("components")),
        regressor_from(told.regressor, part("machine")),
        Target(**part("target")),
    )
    width = math.inf if told.half_width is None else told.half_width
    headers = Headers(tuple(gate.modalities), tuple(gate.proportions))
    return RegressionModel(
        network,
        head,
        told.features,
        told.flip,
        IntervalRule(width, told.coverage, told.n_patients),
        AnomalyGate.from_arrays(part("gate"), gate.rate, headers),
        description.units,
        policy=Policy.from_json(description.reading),
        covariates=covariates_from(told.covariates),
        decide_by=told.decide_by,
    )
