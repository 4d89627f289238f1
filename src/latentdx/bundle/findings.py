"""A model of several findings in a bundle: what is told of it, its arrays, and the model again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import name_of
from latentdx.bundle.heads import (
    Arrays,
    covariates_from,
    describe_head,
    head_from,
    head_parts,
    part_of,
    sets_from,
)
from latentdx.bundle.schema import (
    EncoderDescription,
    FindingDescription,
    FindingsDescription,
    GateDescription,
    HeadDescription,
)
from latentdx.collection.findings import Findings, question_classes
from latentdx.core.version import VERSION
from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.gate_header import Headers
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.scans.policy import Policy


def describe_findings(
    model: FindingsModel, split_hash: str, counts: Mapping[str, int], *, seed: int
) -> FindingsDescription:
    """The content of ``bundle.json``."""
    gate = model.gate
    heads = zip(model.findings.names, model.models, strict=True)
    return FindingsDescription(
        made_by=f"latentdx {VERSION}",
        task="multi-label",
        negative=model.findings.negative,
        terms=dict(model.findings.terms),
        findings=[FindingDescription(name=name, head=describe_head(one)) for name, one in heads],
        encoder=EncoderDescription(name=name_of(model.encoder), settings=model.encoder.settings()),
        gate=GateDescription(
            rate=gate.rate,
            modalities=list(gate.headers.modalities),
            proportions=list(gate.headers.proportions),
        ),
        reading=asdict(model.policy),
        rules=list(model.rules),
        split_hash=split_hash,
        counts=dict(counts),
        seed=seed,
    )


def findings_parts(model: FindingsModel) -> dict[str, dict[str, NDArray[Any]]]:
    """The arrays of every head, by the finding's number and the part, and those of the gate."""
    heads = {
        f"{number}.{part}": arrays
        for number, one in enumerate(model.models)
        for part, arrays in head_parts(replace(one.head, source=None)).items()
    }
    return {**heads, "gate": model.gate.to_arrays()}


def findings_model(
    description: FindingsDescription, network: Autoencoder, arrays: Arrays
) -> FindingsModel:
    """Undo both. Raises KeyError, TypeError or ValueError where parts are missing or do not fit."""
    told = description.gate
    headers = Headers(tuple(told.modalities), tuple(told.proportions))
    gate = AnomalyGate.from_arrays(part_of(arrays, "gate"), told.rate, headers)
    policy = Policy.from_json(description.reading)

    def one(number: int, name: str, head: HeadDescription) -> DiagnosticModel:
        return DiagnosticModel(
            network,
            head_from(head, part_of(arrays, str(number))),
            question_classes(name),
            head.features,
            head.flip,
            sets_from(head),
            gate,
            policy=policy,
            risk=None if head.risk is None else RiskControl(**head.risk.model_dump()),
            covariates=covariates_from(head.covariates),
            decide_by=head.decide_by,
        )

    names = tuple(item.name for item in description.findings)
    models = [one(k, item.name, item.head) for k, item in enumerate(description.findings)]
    findings = Findings(names, description.negative, terms=description.terms)
    return FindingsModel(tuple(models), findings)
