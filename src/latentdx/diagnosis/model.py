"""`DiagnosticModel`: one scan in, one `Diagnosis` out; all that a deployment needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.cases import Cases, DecideBy
from latentdx.collection.columns import as_stored
from latentdx.collection.seen_record import SeenRecord
from latentdx.collection.terms import Terms
from latentdx.core.errors import InputError
from latentdx.diagnosis.abstain import RiskControl, confidences
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.calibration_cumulative import without_gaps
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
from latentdx.diagnosis.fine_tuned import FineTuned
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.outputs import Conclusion, Look, Outputs, Pixels, look_at
from latentdx.diagnosis.rules import Rule
from latentdx.diagnosis.scan_groups import group_of
from latentdx.diagnosis.set_rule import SetRule
from latentdx.diagnosis.views import score_views, views_of, weigh_views
from latentdx.features.covariates import Covariates
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind
from latentdx.features.table import put_beside
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan


@dataclass(frozen=True)
class DiagnosticModel:
    """Encoder, head, prediction sets and anomaly gate, with the input they expect.

    Attributes
    ----------
    classes: names, negative first; of two, the second is the positive one; grades in their order.
    kind: which of the encoder's features the head reads.
    flip: scores are averaged over a scan and its mirror image.
    sets: which classes are in a scan's prediction set.
    bundle: SHA-256 (hex) of the bundle it was loaded from, "" before.
    policy: how the files of its scans were read; those of a diagnosis are read alike.
    risk: when to abstain so that answers are rarely wrong; None where that was not asked for.
    covariates: what it reads of a scan beside the picture, or None.
    tuned: a copy of the encoder that was trained on labels, which scores beside the head; or None.
    decide_by: whether scans, studies or patients are decided, from the scores of their scans.
    reference: what it keeps of the scans it was made from, to tell drift by; or None.
    seen: which scans it has seen, for who holds the key to ask; None in older bundles.
    rules: which scans get no label, whatever it makes of them: the user's.
    terms: codes of the classes, told in reports.
    """

    encoder: Autoencoder
    head: Head
    classes: tuple[str, ...]
    kind: FeatureKind
    flip: bool
    sets: SetRule
    gate: AnomalyGate
    bundle: str = ""
    policy: Policy = field(default_factory=Policy)
    risk: RiskControl | None = None
    covariates: Covariates | None = None
    tuned: FineTuned | None = None
    decide_by: DecideBy = "scan"
    reference: Reference | None = None
    seen: SeenRecord | None = None
    rules: tuple[Rule, ...] = ()
    terms: Terms = field(default_factory=dict)

    @property
    def column(self) -> str:
        """The column whose values the prediction sets go by, or ``""``."""
        return self.sets.column

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Embeddings (N, D) of pixels (N, C, *spatial); (N, D + Q) with scores of `tuned`."""
        found = embed(self.encoder, pixels, self.kind)
        return found if self.tuned is None else np.hstack([found, self.tuned.scores(pixels)])

    def compute(
        self,
        pixels: Pixels,
        groups: Sequence[str] | None = None,
        beside: NDArray[np.float32] | None = None,
        cases: Cases | None = None,
    ) -> Outputs:
        """Everything the model has to say of pixels (N, C, *spatial), size and channels its own.

        `groups` are values of `sets.column`, where there is one; `beside` (N, K) the scans' encoded
        `covariates`, by default as if none were known. With `cases` each row of the outputs, and of
        the groups, is one of the M cases.
        """
        return self.judge(self.look(pixels), groups, beside, cases)

    def look(self, pixels: Pixels) -> Look:
        """What the encoder and the gate make of pixels (N, C, *spatial)."""
        views = views_of(pixels, self.extract, flip=self.flip)
        pooled = views[0][:, : self.head.width] if self.kind == "pooled" else None
        return look_at(pixels, views, self.encoder, self.gate, pooled=pooled)

    def judge(
        self,
        look: Look,
        groups: Sequence[str] | None = None,
        beside: NDArray[np.float32] | None = None,
        cases: Cases | None = None,
    ) -> Outputs:
        """What the head and the prediction sets make of a look; the others as in `compute`."""
        if self.covariates is not None and beside is None:
            beside = self.covariates.unknown(len(look.anomaly))
        views = [put_beside(view, beside) for view in look.views]
        scored = score_views(self.head, views), weigh_views(self.head, views)
        return self.outputs(look, scored, groups, cases)

    def outputs(
        self,
        look: Look,
        scored: tuple[NDArray[np.float32], NDArray[np.float32] | None],
        groups: Sequence[str] | None = None,
        cases: Cases | None = None,
    ) -> Outputs:
        """All that is told of scans by a look at them, their scores (N, Q) and weights (N,)."""
        scores, importance = scored
        if cases is not None:
            scores, look = cases.pooled(scores, importance), look.of(cases)
        return Outputs(
            scores,
            *self.conclude(scores, groups),
            look.anomaly,
            look.foreign,
            look.views[0][:, : self.head.width],
            look.reconstructions,
            look.strangest,
            importance,
        )

    def conclude(
        self, scores: NDArray[np.float32], groups: Sequence[str] | None = None
    ) -> Conclusion:
        """What follows from scores (N, Q); `groups` as in `compute`."""
        probabilities = self.head.probabilities(scores)
        decisions = self.head.decide(probabilities)
        inside = self.sets.inside(probabilities, decisions, groups)
        if self.head.ordered:
            inside = without_gaps(inside)
        return Conclusion(probabilities, decisions, inside)

    def request(self, key: bytes) -> Request:
        """What scans must be made into before `compute` takes them."""
        return request_for(self.encoder, self.policy, key)

    def predict(
        self, scans: Iterable[Scan | str | Path], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses in the order of the scans; a file that cannot be read is ``quarantined``.

        Files are decoded in this process; `latentdx predict` decodes them in killable workers.

        Examples
        --------
        >>> from latentdx import load_bundle
        >>> model = load_bundle("run/bundle")  # doctest: +SKIP
        >>> model.predict(["scan.dcm"])[0].label  # doctest: +SKIP
        'diseased'
        """
        return predict_each(self, scans, abstain=abstain)

    def diagnose(
        self, paths: Sequence[str], scans: Sequence[Scan], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses of decoded scans that were fitted by `request`, each by itself."""
        outputs = self.outputs_of(scans)
        return [
            self._diagnosis(path, scan, outputs, row, abstain=abstain)
            for row, (path, scan) in enumerate(zip(paths, scans, strict=True))
        ]

    def outputs_of(self, scans: Sequence[Scan]) -> Outputs:
        """What the model computes of decoded scans that were fitted by `request`."""
        # As in training, where scans come from a collection: the same file, the same answer.
        groups = [group_of(scan, self.sets.column) for scan in scans]
        told = None if self.covariates is None else self.covariates.encode_scans(scans)
        return self.compute(as_stored(np.stack([scan.pixels for scan in scans])), groups, told)

    def quarantined(self, path: str, error: InputError) -> Diagnosis:
        """The answer to a file that cannot be used."""
        return quarantine(path, error, self.bundle)

    def scored(
        self, scans: Sequence[Scan]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, Seen]:
        """Scores (N, Q) of such scans, their importance (N,) in their cases or None, the gate's."""
        outputs = self.outputs_of(scans)
        return outputs.scores, outputs.importance, outputs

    def begun(self, path: str, scan: Scan, seen: Seen, row: int) -> Diagnosis:
        """A diagnosis that waits for its answer; see `diagnoses.begun`."""
        return begun(self, path, scan, seen, row)

    def concluded(
        self, begun: Diagnosis, scores: NDArray[np.float32], group: str, *, abstain: bool
    ) -> Diagnosis:
        """The diagnosis of a case by its scores (1, Q)."""
        return self.answer(begun, self.conclude(scores, [group]), 0, abstain=abstain)

    def _diagnosis(
        self, path: str, scan: Scan, outputs: Outputs, row: int, *, abstain: bool
    ) -> Diagnosis:
        base = self.begun(path, scan, outputs, row)
        if base.status != "ok":
            return base
        return self.answer(base, outputs, row, abstain=abstain)

    def answer(
        self, base: Diagnosis, told: Outputs | Conclusion, row: int, *, abstain: bool
    ) -> Diagnosis:
        """The diagnosis with what follows for this row."""
        shown = {
            name: round(float(p), 6)
            for name, p in zip(self.classes, told.probabilities[row], strict=True)
        }
        found = replace(base, probabilities=shown, prediction_set=self._inside(told, row))
        reason = base.reason or (self.unsure(told, row) if abstain else None)
        if reason is not None:
            return replace(found, status="abstained", reason=reason)
        return replace(found, label=self.classes[int(told.decisions[row])])

    def unsure(self, told: Outputs | Conclusion, row: int) -> Reason | None:
        """Why a scan is better not answered: by the risk where one is kept, else by its set."""
        if self.risk is not None and self.risk.cutoff is not None:
            given = told.probabilities[[row]], told.decisions[[row]]
            if self.risk.answers(*given)[0]:
                return None
            text = f"its confidence, {confidences(*given)[0]:.3f}, is below {self.risk.cutoff:.3f}"
            return Reason("A_RISK", text)
        inside = self._inside(told, row)
        if len(inside) > 1:
            text = f"{len(inside)} classes remain possible: {', '.join(inside)}"
            return Reason("A_AMBIGUOUS", text)
        return None

    def _inside(self, told: Outputs | Conclusion, row: int) -> tuple[str, ...]:
        held = zip(self.classes, told.sets[row], strict=True)
        return tuple(name for name, is_held in held if is_held)
