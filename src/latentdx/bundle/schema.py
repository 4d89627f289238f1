"""What a bundle is: five files, data only, and how `bundle.json` is read with suspicion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from latentdx.autoencoder.family import AnyName
from latentdx.collection.cases import DecideBy, Pool
from latentdx.collection.terms import Term
from latentdx.core.errors import IntegrityError
from latentdx.diagnosis.calibrations import CalibrationName
from latentdx.diagnosis.fine_tune_blocks import FineTune
from latentdx.diagnosis.label_losses import ClassWeights
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.regressors import RegressorName
from latentdx.diagnosis.rules import Rule
from latentdx.diagnosis.sampling import Sampling
from latentdx.diagnosis.set_rule import SetsKind
from latentdx.features.kinds import FeatureKind

VERSION = 2

DESCRIPTION, ENCODER, HEAD, CARD = (
    "bundle.json",
    "encoder.safetensors",
    "head.safetensors",
    "README.md",
)
CHECKSUMS = "checksums.json"
HASHED = (DESCRIPTION, ENCODER, HEAD, CARD)


def checksums(contents: Mapping[str, bytes]) -> bytes:
    """The content of ``checksums.json``, in its one form: its SHA-256 names the bundle."""
    sums = {name: hashlib.sha256(contents[name]).hexdigest() for name in HASHED}
    return (json.dumps(sums, indent=2) + "\n").encode()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderDescription(_Strict):
    """The network: its name in the family and the arguments that build it.

    Of a user's own module (``own``) the arguments do not build it: it has to be given.
    """

    name: AnyName
    settings: dict[str, Any]


Share = Annotated[float, Field(ge=0, le=1)]


class SetsDescription(_Strict):
    """A `SetRule` that is not ``marginal``; groups stand there by a hash of their names."""

    kind: SetsKind
    cutoffs: list[Share] = Field(min_length=1)
    column: str = ""
    groups: dict[str, Share] = Field(default_factory=dict)
    n_small: int = Field(default=0, ge=0)


class RiskDescription(_Strict):
    """A `RiskControl`."""

    risk: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0, lt=1)
    cutoff: Share | None = None
    n_patients: int = Field(ge=0)
    n_answered: int = Field(ge=0)
    n_wrong: int = Field(ge=0)


class NumberDescription(_Strict):
    """A `Number`."""

    kind: Literal["number"] = "number"
    name: str = Field(min_length=1)
    mean: FiniteFloat
    scale: FiniteFloat = Field(gt=0)
    median: FiniteFloat
    flags: bool


class CategoryDescription(_Strict):
    """A `Category`."""

    kind: Literal["category"] = "category"
    name: str = Field(min_length=1)
    levels: list[Annotated[str, Field(pattern="^[0-9a-f]{16}$")]] = Field(min_length=1)
    scale: FiniteFloat = Field(gt=0)
    flags: bool


CovariateDescription = Annotated[
    NumberDescription | CategoryDescription, Field(discriminator="kind")
]


class FineTuneDescription(_Strict):
    """A `FineTuneFacts`; the weights that were trained lie in ``head.safetensors``."""

    which: FineTune
    epochs: int = Field(ge=1)
    loss: str
    class_weights: ClassWeights
    sampling: Sampling
    consistency: bool
    chosen: bool = True


class HeadDescription(_Strict):
    """The classifier and how its scores become decisions."""

    classifier: ClassifierName
    strength: float
    features: FeatureKind
    flip: bool
    threshold: float | None = None
    threshold_target: str = "balanced accuracy"
    cutoff: float = Field(ge=0, le=1)
    coverage: float = Field(gt=0, lt=1)
    calibration: CalibrationName = "sigmoid"
    sets: SetsDescription | None = None
    risk: RiskDescription | None = None
    decide_by: DecideBy = "scan"
    pool: Pool = "mean"
    covariates: list[CovariateDescription] = Field(default_factory=list)
    fine_tune: FineTuneDescription | None = None


class GateDescription(_Strict):
    """What of an `AnomalyGate` is no array."""

    rate: float = Field(gt=0, lt=1)
    modalities: list[str] = Field(default_factory=list)
    proportions: list[float] = Field(default_factory=list, max_length=2)


class Description(_Strict):
    """The content of ``bundle.json``; `reading` is the `Policy` by which its scans were read.

    `rules` are the user's: which scans get no label; `terms` the codes of the classes.
    """

    format: Literal["latentdx-bundle"] = "latentdx-bundle"
    version: int = VERSION
    made_by: str
    task: Literal["classes", "ordinal"] = "classes"
    classes: list[str] = Field(min_length=2)
    terms: dict[str, Term] = Field(default_factory=dict)
    encoder: EncoderDescription
    head: HeadDescription
    gate: GateDescription
    reading: dict[str, Any] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list)
    split_hash: str
    counts: dict[str, int]
    seed: int


class FindingDescription(_Strict):
    """One finding and its head."""

    name: str = Field(min_length=1)
    head: HeadDescription


class FindingsDescription(_Strict):
    """The content of ``bundle.json`` where a scan has several findings; as `Description` else."""

    format: Literal["latentdx-bundle"] = "latentdx-bundle"
    version: int = VERSION
    made_by: str
    task: Literal["multi-label"]
    negative: str = Field(min_length=1)
    findings: list[FindingDescription] = Field(min_length=1)
    terms: dict[str, Term] = Field(default_factory=dict)
    encoder: EncoderDescription
    gate: GateDescription
    reading: dict[str, Any] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list)
    split_hash: str
    counts: dict[str, int]
    seed: int


class ValueHeadDescription(_Strict):
    """The machine of a model of numbers, and how far its intervals reach; None: without end."""

    regressor: RegressorName
    strength: float
    features: FeatureKind
    flip: bool
    half_width: float | None = Field(default=None, ge=0)
    coverage: float = Field(gt=0, lt=1)
    n_patients: int = Field(ge=0)
    decide_by: DecideBy = "scan"
    covariates: list[CovariateDescription] = Field(default_factory=list)


class ValueDescription(_Strict):
    """The content of ``bundle.json`` where a number is predicted; as `Description` else."""

    format: Literal["latentdx-bundle"] = "latentdx-bundle"
    version: int = VERSION
    made_by: str
    task: Literal["regression"]
    units: str
    encoder: EncoderDescription
    head: ValueHeadDescription
    gate: GateDescription
    reading: dict[str, Any] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list)
    split_hash: str
    counts: dict[str, int]
    seed: int


AnyDescription: TypeAlias = Description | FindingsDescription | ValueDescription

_OTHERS: dict[str, type[FindingsDescription] | type[ValueDescription]] = {
    "multi-label": FindingsDescription,
    "regression": ValueDescription,
}
"""What describes tasks that are not of classes."""


def read_description(text: str, path: Path) -> AnyDescription:
    """Parse ``bundle.json``.

    Raises `IntegrityError` ``E_MODEL_VERSION`` for another version, ``E_MODEL_INTEGRITY`` else.
    """
    try:
        kind = _OTHERS.get(str(_told(text, "task")), Description)
        found: AnyDescription = kind.model_validate_json(text)
    except ValidationError as error:
        version = _version_of(text)
        if version not in (0, VERSION):
            raise _of_another_version(version, path) from None
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise IntegrityError(
            "E_MODEL_INTEGRITY",
            f"{where} is not valid ({first['type']})",
            fix="copy the bundle again from its source",
            path=path,
        ) from None
    if found.version != VERSION:
        raise _of_another_version(found.version, path)
    return found


def _version_of(text: str) -> int:
    version = _told(text, "version")
    return version if isinstance(version, int) else 0


def _told(text: str, name: str) -> Any:
    """One entry, before anything is known to be right; None where there is none."""
    try:
        return json.loads(text)[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _of_another_version(version: int, path: Path) -> IntegrityError:
    return IntegrityError(
        "E_MODEL_VERSION",
        f"the bundle is of version {version}, this program reads version {VERSION}",
        fix="update latentdx" if version > VERSION else "make it again by `latentdx fit`",
        path=path,
    )
