"""`RegressionModel`: one scan in, one number out, with the interval that holds it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.cases import Cases, DecideBy
from latentdx.collection.columns import as_stored
from latentdx.collection.seen_record import SeenRecord
from latentdx.core.errors import InputError, StopError
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.diagnoses import (
    Diagnosis,
    Seen,
    begun,
    predict_each,
    quarantine,
    request_for,
)
from latentdx.diagnosis.drift_reference import Reference
from latentdx.diagnosis.outputs import Look, Pixels, look_at
from latentdx.diagnosis.regression_head import RegressionHead
from latentdx.diagnosis.rules import Rule
from latentdx.diagnosis.views import score_views, views_of
from latentdx.features.covariates import Covariates
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind
from latentdx.features.table import put_beside
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

Values = NDArray[np.float64]


@dataclass(frozen=True)
class IntervalRule:
    """Intervals reach `half_width` to both sides of a prediction, for a stated coverage.

    `half_width` is infinite where too few patients were there; see `conformal_values`.
    """

    half_width: float
    coverage: float
    n_patients: int

    def ends(self, values: Values) -> Values:
        """(N, 2), the lower and the upper ends around values (N,)."""
        found: Values = np.stack([values - self.half_width, values + self.half_width], axis=1)
        return found


@dataclass(frozen=True)
class RegressionOutputs:
    """What the model computes of N scans: `scores` (N, 1), `values` (N,), `intervals` (N, 2).

    And its look. Of cases, each row is one of them.
    """

    scores: NDArray[np.float32]
    values: Values
    intervals: Values
    look: Look


@dataclass(frozen=True)
class RegressionModel:
    """Encoder, head, intervals and anomaly gate, with the input they expect.

    Attributes
    ----------
    kind: which of the encoder's features the head reads.
    flip: predictions are averaged over a scan and its mirror image.
    sets: how far intervals reach.
    units: of the values, in words; ``""`` where none were told.
    bundle: SHA-256 (hex) of the bundle it was loaded from, "" before.
    policy: how the files of its scans were read; those of a diagnosis are read alike.
    covariates: what it reads of a scan beside the picture, or None.
    decide_by: whether scans, studies or patients get a value, the mean of their scans'.
    reference: what it keeps of the scans it was made from, to tell drift by; or None.
    seen: which scans it has seen, for who holds the key to ask; None in older bundles.
    rules: which scans get no value, whatever it makes of them: the user's.
    """

    encoder: Autoencoder
    head: RegressionHead
    kind: FeatureKind
    flip: bool
    sets: IntervalRule
    gate: AnomalyGate
    units: str = ""
    bundle: str = ""
    policy: Policy = field(default_factory=Policy)
    covariates: Covariates | None = None
    decide_by: DecideBy = "scan"
    reference: Reference | None = None
    seen: SeenRecord | None = None
    rules: tuple[Rule, ...] = ()

    @property
    def column(self) -> str:
        """Intervals go by no column."""
        return ""

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Embeddings (N, D) of pixels (N, C, *spatial)."""
        return embed(self.encoder, pixels, self.kind)

    def compute(
        self,
        pixels: Pixels,
        beside: NDArray[np.float32] | None = None,
        cases: Cases | None = None,
    ) -> RegressionOutputs:
        """Everything the model has to say of pixels (N, C, *spatial), size and channels its own.

        `beside` (N, K) are the scans' encoded `covariates`, by default as if none were known. With
        `cases` each row of the outputs is one of the M cases.
        """
        views = views_of(pixels, self.extract, flip=self.flip)
        pooled = views[0] if self.kind == "pooled" else None
        look = look_at(pixels, views, self.encoder, self.gate, pooled=pooled)
        if self.covariates is not None and beside is None:
            beside = self.covariates.unknown(len(pixels))
        scores = score_views(self.head, [put_beside(view, beside) for view in look.views])
        if cases is not None:
            scores, look = cases.mean(scores), look.of(cases)
        values = self.head.values(scores)
        return RegressionOutputs(scores, values, self.sets.ends(values), look)

    def request(self, key: bytes) -> Request:
        """What scans must be made into before `compute` takes them."""
        return request_for(self.encoder, self.policy, key)

    def predict(
        self, scans: Iterable[Scan | str | Path], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses in the order of the scans; a file that cannot be read is ``quarantined``.

        Examples
        --------
        >>> from latentdx import load_bundle
        >>> found = load_bundle("run/bundle").predict(["scan.dcm"])[0]  # doctest: +SKIP
        >>> found.value, found.interval, found.units  # doctest: +SKIP
        (61.2, (48.0, 74.4), 'years')
        """
        return predict_each(self, scans, abstain=abstain)

    def diagnose(
        self, paths: Sequence[str], scans: Sequence[Scan], *, abstain: bool = False
    ) -> list[Diagnosis]:
        """Diagnoses of decoded scans that were fitted by `request`.

        Raises `StopError` ``E_OPTION`` where it is asked to abstain: all intervals are as wide.
        """
        scores, _, seen = self.scored(scans)
        made = [
            self.begun(path, scan, seen, row)
            for row, (path, scan) in enumerate(zip(paths, scans, strict=True))
        ]
        return [
            self.concluded(one, scores[[row]], abstain=abstain) if one.status == "ok" else one
            for row, one in enumerate(made)
        ]

    def scored(self, scans: Sequence[Scan]) -> tuple[NDArray[np.float32], None, Seen]:
        """Scores (N, 1) of such scans; all scans of a case count alike."""
        told = None if self.covariates is None else self.covariates.encode_scans(scans)
        outputs = self.compute(as_stored(np.stack([scan.pixels for scan in scans])), told)
        return outputs.scores, None, outputs.look

    def begun(self, path: str, scan: Scan, seen: Seen, row: int) -> Diagnosis:
        """A diagnosis that waits for its value; see `diagnoses.begun`."""
        return replace(begun(self, path, scan, seen, row), units=self.units)

    def concluded(
        self,
        begun: Diagnosis,
        scores: NDArray[np.float32],
        group: str = "",
        *,
        abstain: bool = False,
    ) -> Diagnosis:
        """The diagnosis of a scan or case by its score (1, 1). Raises as `diagnose`."""
        if abstain:
            found = "a model of numbers does not abstain"
            raise StopError("E_OPTION", found, fix="leave --abstain out, and look at the intervals")
        if begun.reason is not None:
            return replace(begun, status="abstained")
        values = self.head.values(scores)
        low, high = (round(float(end), 6) for end in self.sets.ends(values)[0])
        interval = (low, high) if math.isfinite(low) else None
        return replace(begun, value=round(float(values[0]), 6), interval=interval)

    def quarantined(self, path: str, error: InputError) -> Diagnosis:
        """The answer to a file that cannot be used."""
        return replace(quarantine(path, error, self.bundle), units=self.units)
