"""`RunSettings`: everything that a run depends on, from the command line or a TOML."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from latentdx.autoencoder.engine.settings import Precision, Schedule, Sharding
from latentdx.autoencoder.engine.tracking import Tracker
from latentdx.autoencoder.family import AnyName
from latentdx.autoencoder.losses.focus import Focus
from latentdx.collection.augment_presets import Borrowed, ModalityChoice
from latentdx.collection.cases import DecideBy, Pool
from latentdx.collection.csv_text import column_name
from latentdx.collection.tasks import TaskChoice
from latentdx.collection.terms import Term
from latentdx.core.errors import StopError
from latentdx.core.remedies import REMEDIES
from latentdx.diagnosis.calibrations import CalibrationChoice
from latentdx.diagnosis.fine_tune_blocks import FineTuneChoice
from latentdx.diagnosis.label_losses import ClassWeights, parse_loss
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.regressors import RegressorName
from latentdx.diagnosis.rules import Rule
from latentdx.diagnosis.sampling import Sampling
from latentdx.diagnosis.semi_supervised import SemiSupervised
from latentdx.diagnosis.set_rule import parse_sets
from latentdx.diagnosis.threshold import parse_target
from latentdx.features.adapt import AdaptChoice
from latentdx.features.kinds import DEFAULT, FeatureChoice
from latentdx.report.language import Language
from latentdx.scans.policy import BurnedIn, FramesPolicy, Policy, RegionName, Scale

_WITHOUT_EFFECT = ("minutes", "track", "language")


class RunSettings(BaseModel):
    """The settings of a whole study; saved as ``config.toml``, which replays it.

    Examples
    --------
    >>> RunSettings(source="scans", one_scan_per_patient=True).classifier
    'svm'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    labels: str | None = None
    task: TaskChoice = "auto"
    unlabelled: tuple[str, ...] = ()
    labelled: int | None = Field(default=None, ge=2)
    size: int | None = Field(default=None, ge=8, le=1024)
    channels: Literal[1, 3] | None = None
    dims: Literal[2, 3] = 2
    slices: int | None = Field(default=None, ge=1)
    frames: FramesPolicy | None = None
    volume_index: int | None = Field(default=None, ge=0)
    window: tuple[float, float] | None = None
    windows: tuple[tuple[float, float], ...] = ()
    nan: Literal["refuse", "impute"] = "refuse"
    spacing_mm: float | None = Field(default=None, gt=0)
    crop: bool = False
    region: RegionName | None = None
    bias_field: bool = False
    scale: Scale = "file"
    measures: bool = False
    burned_in: BurnedIn = "quarantine"
    identity_map: bool = False
    seed: int = Field(default=0, ge=0)
    language: Language = "en"
    minutes: float | None = Field(default=None, gt=0)
    patient_pattern: str | None = None
    one_scan_per_patient: bool = False
    label_map: dict[str, str] = Field(default_factory=dict)
    positive: str | None = None
    order: tuple[str, ...] = ()
    unit: str = ""
    folds: int | None = Field(default=None, ge=2, le=20)
    seeds: int = Field(default=1, ge=1, le=20)
    leave_out: str | None = None
    adapt: AdaptChoice = "none"
    overlap: Literal["stop", "drop", "allow"] = "stop"
    strict: bool = False
    autoencoder: AnyName = "invariant"
    latent_dim: int | None = Field(default=None, ge=1)
    focus: Focus | None = None
    network: dict[str, Any] = Field(default_factory=dict)
    objectives: dict[str, float] = Field(default_factory=dict)
    domain: str | None = None
    augment: bool = False
    modality: ModalityChoice = "auto"
    views: tuple[Borrowed, ...] = ()
    start: str | None = None
    freeze: int = Field(default=0, ge=0)
    low_rank: int | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=0)
    batch_size: int = Field(default=64, ge=8)
    accumulate: int = Field(default=1, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    epsilon: float | None = Field(default=None, gt=0, le=100)
    delta: float | None = Field(default=None, gt=0, lt=1)
    schedule: Schedule = "cosine"
    ema: float | None = Field(default=None, gt=0, lt=1)
    precision: Precision = "auto"
    deterministic: bool = False
    sharding: Sharding = "none"
    track: tuple[Tracker, ...] = ()
    classifier: ClassifierName | RegressorName = "svm"
    features: FeatureChoice = DEFAULT
    covariates: tuple[str, ...] = ()
    flip: bool = True
    semi_supervised: SemiSupervised = "none"
    fine_tune: FineTuneChoice = "auto"
    loss: str = "cross-entropy"
    class_weights: ClassWeights = "balanced"
    sampling: Sampling = "natural"
    calibration: CalibrationChoice = "sigmoid"
    decide_by: DecideBy = "scan"
    pool: Pool = "mean"
    prediction_sets: str = "marginal"
    coverage: float = Field(default=0.9, gt=0, lt=1)
    risk: float | None = Field(default=None, gt=0, lt=1)
    target: str = "balanced"
    cnn_from_scratch: bool = False
    prevalence: float | None = Field(default=None, gt=0, lt=1)
    gate_rate: float | None = Field(default=None, ge=0.001, le=0.2)
    rules: tuple[Rule, ...] = ()
    terms: dict[str, Term] = Field(default_factory=dict)

    @field_validator("windows")
    @classmethod
    def _windows(cls, value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if len(value) not in (0, 3) or any(width < 1 for _, width in value):
            raise ValueError("three windows, each a centre and a width of 1 or more, or none")
        return value

    @field_validator("prediction_sets")
    @classmethod
    def _sets(cls, value: str) -> str:
        parse_sets(value)
        return value

    @field_validator("covariates")
    @classmethod
    def _covariates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        # As columns are read from tables.
        return tuple(dict.fromkeys(column_name(name) for name in value))

    @field_validator("views")
    @classmethod
    def _views(cls, value: tuple[Borrowed, ...]) -> tuple[Borrowed, ...]:
        return tuple(sorted(set(value)))

    @field_validator("leave_out", "domain")
    @classmethod
    def _column(cls, value: str | None) -> str | None:
        return None if value is None else column_name(value)

    @field_validator("loss")
    @classmethod
    def _loss(cls, value: str) -> str:
        parse_loss(value)
        return value

    @field_validator("target")
    @classmethod
    def _target(cls, value: str) -> str:
        parse_target(value)
        return value

    @property
    def n_trainings(self) -> int:
        """On how many splits and seeds the whole is trained; sites left out are not counted."""
        return self.seeds + (self.folds or 0)

    def policy(self) -> Policy:
        """How files are read."""
        return Policy(
            dims=self.dims,
            frames=self.frames,
            every=self.slices,
            volume_index=self.volume_index,
            window=self.window,
            windows=self.windows,
            nan=self.nan,
            spacing_mm=self.spacing_mm,
            crop=self.crop,
            region=self.region,
            bias_field=self.bias_field,
            scale=self.scale,
            measures=self.measures,
            burned_in=self.burned_in,
            identity_map=self.identity_map,
            gate=True,
        )

    def to_toml(self) -> str:
        """The text of ``config.toml``; what is not set is left out."""
        return tomli_w.dumps(self.model_dump(exclude_none=True, mode="json"))

    def differences(self, other: RunSettings) -> list[str]:
        """Names of the settings that would give another result."""
        ours, theirs = self.model_dump(), other.model_dump()
        return sorted(
            name for name in ours if ours[name] != theirs[name] and name not in _WITHOUT_EFFECT
        )


def settings_with(config: Path | None, given: dict[str, Any]) -> RunSettings:
    """Settings of a TOML, where there is one, and those `given` over them; None: not given.

    Raises `StopError` ``E_CONFIG``.
    """
    named = {name: value for name, value in given.items() if value is not None}
    before = read_toml(config) if config else {}
    values = {**before, **named}
    if "network" in named:  # one setting of it does not undo the others
        values["network"] = {**before.get("network", {}), **named["network"]}
    return settings_from(values, config)


def settings_from(values: dict[str, Any], path: Path | None = None) -> RunSettings:
    """Settings from plain values. Raises `StopError` ``E_CONFIG`` naming the first wrong one."""
    try:
        return RunSettings(**values)
    except ValidationError as error:
        raise _refusal(error, path) from None


def _refusal(error: ValidationError, path: Path | None) -> StopError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(name, RunSettings.model_fields, n=1)
        found = f"there is no setting {name!r}"
        known = f"the settings are {', '.join(RunSettings.model_fields)}"
        fix = f"did you mean {close[0]!r}?" if close else known
        return StopError("E_CONFIG", found, fix=fix, path=path)
    found = f"{name}: {first['msg'].lower()}, found {first['input']!r}"
    return StopError("E_CONFIG", found, fix=f"correct {name!r}", path=path)


def read_toml(path: Path) -> dict[str, Any]:
    """The plain values of a ``config.toml``. Raises `StopError` ``E_CONFIG``."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        raise StopError("E_CONFIG", found, fix=REMEDIES["E_IO"], path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StopError(
            "E_CONFIG", f"not TOML: {error}", fix="correct that line", path=path
        ) from None
