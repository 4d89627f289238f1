"""`Diagnosis`: what a model says of one scan, and how scans are brought before a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.cases import DecideBy
from latentdx.core.errors import InputError
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.gate_words import why_not_evaluated
from latentdx.diagnosis.rules import Rule, why_stopped
from latentdx.features.covariates import Covariates
from latentdx.scans.own_mask import NO_MASK
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

Floats = NDArray[np.float32]

_OF_NUMBERS = ("value", "interval", "units")
Status = Literal["ok", "abstained", "not_evaluated", "quarantined"]

_READING_OPTION = re.compile(
    r"--(?:dims|slices|frames|volume-index|nan)\b(?: (?:\d+|every:N|each|impute)\b)?"
)


@dataclass(frozen=True)
class Reason:
    """Why there is no plain diagnosis: a stable code and words."""

    code: str
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """What the model says of one scan.

    Attributes
    ----------
    path, scan_id: the scan's; `scan_id` is "" where it could not be read.
    status: ``ok``; ``abstained`` (a rule of the user's holds, or not sure enough, and abstaining
        was asked for);
        ``not_evaluated`` (not the kind of scan that the model knows); ``quarantined``.
    label: the decided class, None unless the status is ``ok``; of several findings those decided,
        `;` between them.
    probabilities: calibrated, by class or finding; empty unless the status is ``ok`` or
        ``abstained``.
    prediction_set: classes or findings that remain possible at the bundle's coverage.
    anomaly_score: 0 (ordinary) to 1 (stranger than all scans it was calibrated on).
    bundle: SHA-256 (hex) of the bundle.
    missing: of a model that reads covariates, the names of those that were not known.
    case, paths, left_out: of a model that decides by study or patient, which of them (a pseudonym),
        the scans it was decided by, and those that are of another kind. `path` is the first.
    warnings: ``W_NO_MASK`` where the model knows scans cropped to masks and this one has none, or
        None.
    weights: how much each scan of `paths` counts, in all 1, of a model that weighs them.
    value, interval: of a model that predicts numbers, the value and what holds it at the bundle's
        coverage (None where it has no end), in `units`; there is no label then.
    units: None of a model of classes, ``""`` where numbers have none.
    """

    path: str
    scan_id: str
    status: Status
    label: str | None = None
    probabilities: dict[str, float] | None = None
    prediction_set: tuple[str, ...] = ()
    anomaly_score: float | None = None
    reason: Reason | None = None
    bundle: str = ""
    missing: tuple[str, ...] | None = None
    case: str | None = None
    paths: tuple[str, ...] | None = None
    left_out: tuple[str, ...] | None = None
    weights: tuple[float, ...] | None = None
    warnings: tuple[str, ...] | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    units: str | None = None

    def as_json(self) -> dict[str, Any]:
        """One line of ``predict --json``; ``value``, ``interval``, ``units`` only of numbers."""
        value = asdict(self)
        if self.units is None:
            value = {name: each for name, each in value.items() if name not in _OF_NUMBERS}
        value["missing_covariates"] = value.pop("missing")
        optional = ("missing_covariates", "case", "paths", "left_out", "weights", "warnings")
        value = {
            name: told for name, told in value.items() if not (told is None and name in optional)
        }
        lists = {name: list(told) for name, told in value.items() if isinstance(told, tuple)}
        return {**value, **lists, "probabilities": self.probabilities or {}}


class Seen(Protocol):
    """What the gate says of N scans: see `Look`."""

    @property
    def anomaly(self) -> NDArray[np.float64]:
        """(N,)."""

    @property
    def foreign(self) -> NDArray[np.bool_]:
        """(N,)."""

    @property
    def strangest(self) -> NDArray[np.str_]:
        """(N,)."""


class Gated(Protocol):
    """A model with a gate, which may read covariates."""

    @property
    def bundle(self) -> str:
        """SHA-256 (hex)."""

    @property
    def gate(self) -> AnomalyGate:
        """What tells foreign scans."""

    @property
    def covariates(self) -> Covariates | None:
        """What it reads of a scan beside the picture."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Which scans get no label, whatever it makes of them."""


class Answering(Protocol):
    """A model that scans are brought before, one by one or a case at a time."""

    @property
    def decide_by(self) -> DecideBy:
        """What is decided."""

    @property
    def column(self) -> str:
        """The column whose values the prediction sets go by, or ``""``."""

    def request(self, key: bytes) -> Request:
        """What scans must be made into."""

    def diagnose(
        self, paths: Sequence[str], scans: Sequence[Scan], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses of scans that were fitted by `request`, each by itself."""

    def quarantined(self, path: str, error: InputError) -> Diagnosis:
        """The answer to a file that cannot be used."""

    def scored(self, scans: Sequence[Scan]) -> tuple[Floats, Floats | None, Seen]:
        """Scores (N, Q) of such scans, their importance (N,) in their cases or None, the gate's."""

    def begun(self, path: str, scan: Scan, seen: Seen, row: int) -> Diagnosis:
        """See `begun`."""

    def concluded(
        self, begun: Diagnosis, scores: Floats, group: str, *, abstain: bool
    ) -> Diagnosis:
        """The diagnosis of a case by its scores (1, Q)."""


def begun(model: Gated, path: str, scan: Scan, seen: Seen, row: int) -> Diagnosis:
    """A diagnosis that waits for its answer, or ``not_evaluated`` where the scan is foreign.

    One that waits has a reason already where a rule stops the scan: it will get no label.
    """
    found = Diagnosis(
        path,
        scan.content_hash[:16],
        "ok",
        anomaly_score=round(float(seen.anomaly[row]), 6),
        bundle=model.bundle,
        missing=None if model.covariates is None else model.covariates.missing_in(scan),
        warnings=(NO_MASK,) if NO_MASK in scan.warnings else None,
    )
    measure = str(seen.strangest[row]) if seen.foreign[row] else None
    reason = why_foreign(scan, model.gate, measure)
    if reason is not None:
        return replace(found, status="not_evaluated", reason=reason)
    stopped = why_stopped(model.rules, scan)
    return found if stopped is None else replace(found, reason=Reason("A_RULE", stopped))


def predict_each(
    model: Answering, scans: Iterable[Scan | str | Path], *, abstain: bool = False
) -> list[Diagnosis]:
    """Diagnoses in the order of the scans, or of the cases; files decoded in this process."""
    if model.decide_by != "scan":
        from latentdx.diagnosis.case_diagnoses import predict_cases

        return predict_cases(model, scans, abstain=abstain)
    found: list[Diagnosis] = []
    for path, scan in each_scan(model, scans):
        if isinstance(scan, InputError):
            found.append(model.quarantined(path, scan))
        else:
            found += model.diagnose([path], [scan], abstain=abstain)
    return found


def each_scan(
    model: Answering, scans: Iterable[Scan | str | Path]
) -> Iterator[tuple[str, Scan | InputError]]:
    """The scans as the model wants them, by name; of a file that cannot be read, why not."""
    from latentdx.scans.deidentify import user_key

    request = model.request(user_key())
    for item in scans:
        path = "" if isinstance(item, Scan) else str(item)
        try:
            held = [request.fit(item)] if isinstance(item, Scan) else _opened(item, request)
        except InputError as error:
            yield path, error
        else:
            yield from ((_name(path, scan), scan) for scan in held)


def request_for(encoder: Autoencoder, policy: Policy, key: bytes) -> Request:
    """What scans must be made into for an encoder, read as `policy` says."""
    dims: Literal[2, 3] = 3 if encoder.dims == 3 else 2
    policy = replace(policy, dims=dims, burned_in="keep", gate=False)
    return Request(encoder.size[0], 3 if encoder.channels == 3 else 1, key, policy)


def quarantine(path: str, error: InputError, bundle: str) -> Diagnosis:
    """The answer of a bundle to a file that cannot be used."""
    fix = error.fix
    if options := " or ".join(_READING_OPTION.findall(fix)):  # of run: a bundle has no such choice
        fix = "the model reads scans as those that it was made from: "
        fix += f"convert the file, or make another model with {options}"
    text = f"{error.found}; {fix}" if fix else error.found
    return Diagnosis(path, "", "quarantined", reason=Reason(error.code, text), bundle=bundle)


def why_foreign(scan: Scan, gate: AnomalyGate, measure: str | None) -> Reason | None:
    """Why a scan is none that the model knows; None where it may be one.

    `measure`: the gate's that lies furthest out, of a scan that it holds for foreign; else None.
    """
    told: Any = measure
    code, text = why_not_evaluated(scan, gate.headers, told)
    return Reason(code, text) if code else None


def _opened(path: str | Path, request: Request) -> list[Scan]:
    from latentdx.scans.open import open_scans

    scans = open_scans([path], key=request.key, policy=request.policy)
    return [request.fit(scan) for scan in scans]


def _name(path: str, scan: Scan) -> str:
    """The path, and which frame or slice of the file."""
    return f"{path}#{scan.frame}" if scan.frame else path
