"""`FindingsModel`: several findings a scan, each a question to a head of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.cases import Cases, DecideBy
from latentdx.collection.columns import as_stored
from latentdx.collection.findings import Findings
from latentdx.collection.seen_record import SeenRecord
from latentdx.core.errors import InputError
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.diagnoses import (
    Diagnosis,
    Reason,
    Seen,
    begun,
    predict_each,
    quarantine,
    request_for,
)
from latentdx.diagnosis.drift_reference import Reference
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.outputs import Conclusion, Outputs, Pixels, agreed
from latentdx.diagnosis.rules import Rule
from latentdx.diagnosis.scan_groups import group_of
from latentdx.features.covariates import Covariates
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan


@dataclass(frozen=True)
class FindingsModel:
    """A model of two classes for each finding, all of one encoder, gate and reading.

    Attributes
    ----------
    models: one a finding; of their two classes the second is the finding.
    findings: their names, and what a scan with none of them is called.
    bundle: SHA-256 (hex) of the bundle it was loaded from, "" before.
    reference: what it keeps of the scans it was made from, to tell drift by; or None.
    seen: which scans it has seen, for who holds the key to ask; None in older bundles.
    rules: which scans get no label, whatever it makes of them: the user's.
    """

    models: tuple[DiagnosticModel, ...]
    findings: Findings
    bundle: str = ""
    reference: Reference | None = None
    seen: SeenRecord | None = None
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        first = self.models[0]
        alike = all(
            one.encoder is first.encoder
            and one.gate is first.gate
            and (one.kind, one.flip, one.sets.column) == (first.kind, first.flip, first.sets.column)
            and (one.covariates, one.decide_by) == (first.covariates, first.decide_by)
            for one in self.models
        )
        if not alike or len(self.models) != len(self.findings.names):
            raise ValueError("the models of the findings do not go together")

    @property
    def encoder(self) -> Autoencoder:
        """Of all heads."""
        return self.models[0].encoder

    @property
    def head(self) -> Head:
        """Of the first finding: what reduces features, alike for all but in their form."""
        return self.models[0].head

    @property
    def gate(self) -> AnomalyGate:
        """Of all heads."""
        return self.models[0].gate

    @property
    def policy(self) -> Policy:
        """How the files of its scans were read."""
        return self.models[0].policy

    @property
    def classes(self) -> tuple[str, ...]:
        """The findings."""
        return self.findings.names

    @property
    def covariates(self) -> Covariates | None:
        """What all heads read beside the picture."""
        return self.models[0].covariates

    @property
    def decide_by(self) -> DecideBy:
        """Whether scans, studies or patients are decided."""
        return self.models[0].decide_by

    @property
    def column(self) -> str:
        """The column whose values the prediction sets go by, or ``""``."""
        return self.models[0].sets.column

    @property
    def coverage(self) -> float:
        """Of the prediction sets of each finding."""
        return self.models[0].sets.coverage

    def compute(
        self,
        pixels: Pixels,
        groups: Sequence[str] | None = None,
        beside: NDArray[np.float32] | None = None,
        cases: Cases | None = None,
    ) -> tuple[Outputs, ...]:
        """For each finding what its model has to say of pixels (N, C, *spatial).

        The encoder looks once; the others as of `DiagnosticModel.compute`.
        """
        look = self.models[0].look(pixels)
        return self._agreed([model.judge(look, groups, beside, cases) for model in self.models])

    def _agreed(self, told: list[Outputs]) -> tuple[Outputs, ...]:
        """The same, no finding less likely than one that is a kind of it."""
        if not (implied := self.findings.implied()):
            return tuple(told)
        made = agreed([Conclusion(o.probabilities, o.decisions, o.sets) for o in told], implied)
        return tuple(replace(o, **one._asdict()) for o, one in zip(told, made, strict=True))

    def request(self, key: bytes) -> Request:
        """What scans must be made into before `compute` takes them."""
        return request_for(self.encoder, self.policy, key)

    def predict(
        self, scans: Iterable[Scan | str | Path], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses in the order of the scans, as `DiagnosticModel.predict` gives them.

        Probabilities of findings are independent of each other, and need not sum to 1; the
        prediction set holds the findings that are not ruled out.
        """
        return predict_each(self, scans, abstain=abstain)

    def diagnose(
        self, paths: Sequence[str], scans: Sequence[Scan], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses of decoded scans that were fitted by `request`, each by itself."""
        outputs = self._outputs_of(scans)
        return [
            self._diagnosis(path, scan, outputs, row, abstain=abstain)
            for row, (path, scan) in enumerate(zip(paths, scans, strict=True))
        ]

    def _outputs_of(self, scans: Sequence[Scan]) -> tuple[Outputs, ...]:
        groups = [group_of(scan, self.column) for scan in scans]
        told = None if self.covariates is None else self.covariates.encode_scans(scans)
        return self.compute(as_stored(np.stack([scan.pixels for scan in scans])), groups, told)

    def quarantined(self, path: str, error: InputError) -> Diagnosis:
        """The answer to a file that cannot be used."""
        return quarantine(path, error, self.bundle)

    def scored(self, scans: Sequence[Scan]) -> tuple[NDArray[np.float32], None, Seen]:
        """Scores (N, L) of such scans, a finding a column; all scans of a case count alike."""
        outputs = self._outputs_of(scans)
        return np.hstack([one.scores for one in outputs]), None, outputs[0]

    def begun(self, path: str, scan: Scan, seen: Seen, row: int) -> Diagnosis:
        """A diagnosis that waits for its answer; see `diagnoses.begun`."""
        return begun(self, path, scan, seen, row)

    def concluded(
        self, begun: Diagnosis, scores: NDArray[np.float32], group: str, *, abstain: bool
    ) -> Diagnosis:
        """The diagnosis of a case by its scores (1, L)."""
        told = [one.conclude(scores[:, [k]], [group]) for k, one in enumerate(self.models)]
        return self._answer(begun, agreed(told, self.findings.implied()), 0, abstain=abstain)

    def _diagnosis(
        self, path: str, scan: Scan, outputs: Sequence[Outputs], row: int, *, abstain: bool
    ) -> Diagnosis:
        base = self.begun(path, scan, outputs[0], row)
        if base.status != "ok":
            return base
        return self._answer(base, outputs, row, abstain=abstain)

    def _answer(
        self, base: Diagnosis, outputs: Sequence[Outputs | Conclusion], row: int, *, abstain: bool
    ) -> Diagnosis:
        told = dict(zip(self.findings.names, outputs, strict=True))
        found = replace(
            base,
            probabilities={
                name: round(float(one.probabilities[row, 1]), 6) for name, one in told.items()
            },
            prediction_set=tuple(name for name, one in told.items() if one.sets[row, 1]),
        )
        reason = base.reason or (self._unsure(outputs, row) if abstain else None)
        if reason is not None:
            return replace(found, status="abstained", reason=reason)
        return replace(found, label=self.findings.label(one.decisions[row] == 1 for one in outputs))

    def _unsure(self, outputs: Sequence[Outputs | Conclusion], row: int) -> Reason | None:
        """Why a scan is better not answered: every finding has to be sure."""
        every = zip(self.findings.names, self.models, outputs, strict=True)
        reasons = {name: model.unsure(one, row) for name, model, one in every}
        open_ones = [name for name, reason in reasons.items() if reason is not None]
        if not open_ones:
            return None
        code = next(reason.code for reason in reasons.values() if reason is not None)
        text = f"not sure enough of {len(open_ones)} of {len(reasons)} findings: "
        return Reason(code, text + ", ".join(open_ones))
