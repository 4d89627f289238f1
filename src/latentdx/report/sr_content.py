"""What a structured report says of an answer: a measurement group of DICOM's template 1501."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)

from latentdx.collection.terms import Terms
from latentdx.core.version import VERSION
from latentdx.diagnosis.diagnoses import Diagnosis
from latentdx.report.sr_codes import (
    ABSENT,
    COMMENT,
    DIAGNOSIS,
    NO_UNITS,
    PRESENT,
    RATIO,
    code_of,
    local,
    unit_of,
)
from latentdx.scans.source_header import SourceHeader

_STATUS = {
    "ok": "answered",
    "abstained": "abstained: no diagnosis",
    "not_evaluated": "not evaluated: no diagnosis",
}


@dataclass(frozen=True)
class Author:
    """The model that a report is by.

    Attributes
    ----------
    bundle: SHA-256 (hex) of its bundle.
    coverage: of its prediction sets, or intervals.
    findings: names of its findings, where it has several; empty else.
    terms: codes of its labels.
    """

    bundle: str
    coverage: float
    findings: tuple[str, ...] = ()
    terms: Terms = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As a device calls its model."""
        return f"latentdx bundle {self.bundle[:16]}"


@dataclass(frozen=True)
class Answered:
    """A diagnosis and the images it was made from, with the frames that it is about (from 1).

    `about`: which of a file's frames or slices, or of a case's images, in words; else ``""``.
    """

    diagnosis: Diagnosis
    sources: tuple[SourceHeader, ...]
    frames: tuple[int, ...] = ()
    about: str = ""


def group_of_answer(
    answer: Answered, author: Author, uid: str
) -> MeasurementsAndQualitativeEvaluations:
    """The measurement group of one answer, tracked by `uid`."""
    found = answer.diagnosis
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=answer.about or "whole image"),
        algorithm_id=AlgorithmIdentification(
            "latentdx", VERSION, parameters=[f"bundle sha256 {author.bundle}"]
        ),
        measurements=_measurements(found, author) or None,
        qualitative_evaluations=_evaluations(found, author),
        source_images=[
            SourceImageForMeasurementGroup(
                source.sop_class, source.sop_instance, list(answer.frames) or None
            )
            for source in answer.sources
        ],
    )
    if found.reason is not None:
        group[0].ContentSequence.append(comment(f"{found.reason.code}: {found.reason.text}"))
    if found.missing:
        group[0].ContentSequence.append(comment(f"not known: {', '.join(found.missing)}"))
    if found.warnings:
        group[0].ContentSequence.append(comment("read whole: there was no mask to crop it to"))
    return group


def comment(text: str) -> TextContentItem:
    """A remark, as a child of a container."""
    return TextContentItem(COMMENT, text, RelationshipTypeValues.CONTAINS)


def _evaluations(found: Diagnosis, author: Author) -> list[QualitativeEvaluation]:
    told = [(local("status", "Status"), local(found.status, _STATUS[found.status]))]
    if found.status == "ok" and found.label is not None:
        told += _decided(found.label, author)
    remains = local("not-ruled-out", f"Not ruled out at {100 * author.coverage:g} %")
    told += [(remains, code_of(name, author.terms)) for name in found.prediction_set]
    return [QualitativeEvaluation(name, value) for name, value in told]


def _decided(label: str, author: Author) -> Sequence[tuple[CodedConcept, CodedConcept]]:
    """The diagnosis; of several findings each as present or absent."""
    if not author.findings:
        return [(DIAGNOSIS, code_of(label, author.terms))]
    there = set(label.split(";"))
    return [
        (code_of(name, author.terms), PRESENT if name in there else ABSENT)
        for name in author.findings
    ]


def _measurements(found: Diagnosis, author: Author) -> list[Measurement]:
    told = [
        (local(f"p:{name}", f"Probability of {name}"), p, RATIO)
        for name, p in (found.probabilities or {}).items()
    ]
    if found.value is not None:
        unit, low_high = unit_of(found.units or ""), found.interval or ()
        told.append((local("value", "Predicted value"), found.value, unit))
        ends = zip(("low", "high"), ("Lower", "Upper"), low_high, strict=False)
        told += [
            (local(name, f"{end} end of the {100 * author.coverage:g} % interval"), value, unit)
            for name, end, value in ends
        ]
    if found.anomaly_score is not None:
        told.append(
            (local("anomaly", "Anomaly score, 0 (ordinary) to 1"), found.anomaly_score, NO_UNITS)
        )
    return [Measurement(name, value, unit) for name, value, unit in told]
