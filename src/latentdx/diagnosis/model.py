"""`DiagnosticModel`: one scan in, one `Diagnosis` out; all that a deployment needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.columns import as_stored
from latentdx.core.errors import InputError
from latentdx.diagnosis.abstain import RiskControl, confidences
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.calibration_cumulative import without_gaps
from latentdx.diagnosis.gate_evidence import gather
from latentdx.diagnosis.gate_words import why_not_evaluated
from latentdx.diagnosis.head import Head, score_pixels
from latentdx.diagnosis.scan_groups import group_of
from latentdx.diagnosis.set_rule import SetRule
from latentdx.features.extract import FeatureKind, embed, reconstruct
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

Pixels = NDArray[np.float32]
Status = Literal["ok", "abstained", "not_evaluated", "quarantined"]


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
    status: ``ok``; ``abstained`` (not sure enough, and abstaining was asked for);
        ``not_evaluated`` (not the kind of scan that the model knows); ``quarantined``.
    label: the decided class, None unless the status is ``ok``.
    probabilities: calibrated, by class; empty unless the status is ``ok`` or ``abstained``.
    prediction_set: classes that remain possible at the bundle's coverage.
    anomaly_score: 0 (ordinary) to 1 (stranger than all scans it was calibrated on).
    bundle: SHA-256 (hex) of the bundle.
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

    def as_json(self) -> dict[str, Any]:
        """One line of ``predict --json``."""
        value = asdict(self)
        return {
            **value,
            "probabilities": self.probabilities or {},
            "prediction_set": list(self.prediction_set),
        }


@dataclass(frozen=True)
class Outputs:
    """What the model computes of N scans; row i belongs to scan i.

    `scores` (N, Q), `probabilities` (N, K), `decisions` (N,), `sets` (N, K), `anomaly` (N,),
    `foreign` (N,), `embeddings` (N, D), `reconstructions` (N, C, *spatial), `strangest` (N,), the
    name of the gate's measure that lies furthest out.
    """

    scores: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    decisions: NDArray[np.int64]
    sets: NDArray[np.bool_]
    anomaly: NDArray[np.float64]
    foreign: NDArray[np.bool_]
    embeddings: NDArray[np.float32]
    reconstructions: Pixels
    strangest: NDArray[np.str_]


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

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Embeddings (N, D) of pixels (N, C, *spatial)."""
        return embed(self.encoder, pixels, self.kind)

    def compute(self, pixels: Pixels, groups: Sequence[str] | None = None) -> Outputs:
        """Everything the model has to say of pixels (N, C, *spatial), size and channels its own.

        `groups` (N,) are the scans' values of `sets.column`, where there is one.
        """
        embeddings = self.extract(pixels)
        scores = score_pixels(self.head, pixels, self.extract, flip=self.flip)
        probabilities = self.head.probabilities(scores)
        decisions = self.head.decide(probabilities)
        rebuilt = reconstruct(self.encoder, pixels)
        pooled = embeddings if self.kind == "pooled" else None
        inside = self.sets.inside(probabilities, decisions, groups)
        evidence = gather(self.encoder, pixels, rebuilt, pooled)
        return Outputs(
            scores,
            probabilities,
            decisions,
            without_gaps(inside) if self.head.ordered else inside,
            self.gate.scores(evidence),
            self.gate.is_foreign(evidence),
            embeddings,
            rebuilt,
            self.gate.strangest(evidence),
        )

    def request(self, key: bytes) -> Request:
        """What scans must be made into before `compute` takes them."""
        dims: Literal[2, 3] = 3 if self.encoder.dims == 3 else 2
        policy = replace(self.policy, dims=dims, burned_in="keep", gate=False)
        return Request(self.encoder.size[0], 3 if self.encoder.channels == 3 else 1, key, policy)

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
        from latentdx.scans.deidentify import user_key

        request = self.request(user_key())
        found: list[Diagnosis] = []
        for item in scans:
            path = "" if isinstance(item, Scan) else str(item)
            try:
                held = [request.fit(item)] if isinstance(item, Scan) else _opened(item, request)
                for scan in held:
                    found += self.diagnose([_name(path, scan)], [scan], abstain=abstain)
            except InputError as error:
                found.append(self.quarantined(path, error))
        return found

    def diagnose(
        self, paths: Sequence[str], scans: Sequence[Scan], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses of decoded scans that were fitted by `request`."""
        # As in training, where scans come from a collection: the same file, the same answer.
        groups = [group_of(scan, self.sets.column) for scan in scans]
        outputs = self.compute(as_stored(np.stack([scan.pixels for scan in scans])), groups)
        return [
            self._diagnosis(path, scan, outputs, row, abstain=abstain)
            for row, (path, scan) in enumerate(zip(paths, scans, strict=True))
        ]

    def quarantined(self, path: str, error: InputError) -> Diagnosis:
        """The answer to a file that cannot be used."""
        text = f"{error.found}; {error.fix}" if error.fix else error.found
        return Diagnosis(
            path, "", "quarantined", reason=Reason(error.code, text), bundle=self.bundle
        )

    def _diagnosis(
        self, path: str, scan: Scan, outputs: Outputs, row: int, *, abstain: bool
    ) -> Diagnosis:
        base = Diagnosis(path, scan.content_hash[:16], "ok", bundle=self.bundle)
        score = round(float(outputs.anomaly[row]), 6)
        if reason := self._foreign(scan, outputs, row):
            return replace(base, status="not_evaluated", anomaly_score=score, reason=reason)
        inside = tuple(
            name for name, held in zip(self.classes, outputs.sets[row], strict=True) if held
        )
        shown = {
            name: round(float(p), 6)
            for name, p in zip(self.classes, outputs.probabilities[row], strict=True)
        }
        found = replace(base, probabilities=shown, prediction_set=inside, anomaly_score=score)
        reason = self._unsure(outputs, row, inside) if abstain else None
        if reason is not None:
            return replace(found, status="abstained", reason=reason)
        return replace(found, label=self.classes[int(outputs.decisions[row])])

    def _foreign(self, scan: Scan, outputs: Outputs, row: int) -> Reason | None:
        """Why a scan is none that the model knows; None where it may be one."""
        measure: Any = str(outputs.strangest[row]) if outputs.foreign[row] else None
        code, text = why_not_evaluated(scan, self.gate.headers, measure)
        return Reason(code, text) if code else None

    def _unsure(self, outputs: Outputs, row: int, inside: tuple[str, ...]) -> Reason | None:
        """Why a scan is better not answered: by the risk where one is kept, else by its set."""
        if self.risk is not None and self.risk.cutoff is not None:
            given = outputs.probabilities[[row]], outputs.decisions[[row]]
            if self.risk.answers(*given)[0]:
                return None
            text = f"its confidence, {confidences(*given)[0]:.3f}, is below {self.risk.cutoff:.3f}"
            return Reason("A_RISK", text)
        if len(inside) > 1:
            text = f"{len(inside)} classes remain possible: {', '.join(inside)}"
            return Reason("A_AMBIGUOUS", text)
        return None


def _opened(path: str | Path, request: Request) -> list[Scan]:
    from latentdx.scans.open import open_scans

    scans = open_scans([path], key=request.key, policy=request.policy)
    return [request.fit(scan) for scan in scans]


def _name(path: str, scan: Scan) -> str:
    """The path, and which frame or slice of the file."""
    return f"{path}#{scan.frame}" if scan.frame else path
