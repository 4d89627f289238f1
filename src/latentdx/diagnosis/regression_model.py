"""`RegressionModel`: one scan in, one number out, with the interval that holds it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.collection.cases import DecideBy
from latentdx.collection.columns import as_stored
from latentdx.core.errors import InputError, StopError
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.diagnoses import (
    Diagnosis,
    predict_each,
    quarantine,
    request_for,
    why_foreign,
)
from latentdx.diagnosis.outputs import Look, Pixels, look_at
from latentdx.diagnosis.regression_head import RegressionHead
from latentdx.diagnosis.views import views_of
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind
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
    """What the model computes of N scans: `values` (N,), `intervals` (N, 2), and its look."""

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

    @property
    def decide_by(self) -> DecideBy:
        """Each scan by itself."""
        return "scan"

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Embeddings (N, D) of pixels (N, C, *spatial)."""
        return embed(self.encoder, pixels, self.kind)

    def compute(self, pixels: Pixels) -> RegressionOutputs:
        """Everything the model has to say of pixels (N, C, *spatial), size and channels its own."""
        views = views_of(pixels, self.extract, flip=self.flip)
        pooled = views[0] if self.kind == "pooled" else None
        look = look_at(pixels, views, self.encoder, self.gate, pooled=pooled)
        values = self.head.values(look.views)
        return RegressionOutputs(values, self.sets.ends(values), look)

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
        if abstain:
            found = "a model of numbers does not abstain"
            raise StopError("E_OPTION", found, fix="leave --abstain out, and look at the intervals")
        outputs = self.compute(as_stored(np.stack([scan.pixels for scan in scans])))
        return [
            self._diagnosis(path, scan, outputs, row)
            for row, (path, scan) in enumerate(zip(paths, scans, strict=True))
        ]

    def quarantined(self, path: str, error: InputError) -> Diagnosis:
        """The answer to a file that cannot be used."""
        return replace(quarantine(path, error, self.bundle), units=self.units)

    def _diagnosis(self, path: str, scan: Scan, outputs: RegressionOutputs, row: int) -> Diagnosis:
        look = outputs.look
        score = round(float(look.anomaly[row]), 6)
        base = Diagnosis(
            path,
            scan.content_hash[:16],
            "ok",
            anomaly_score=score,
            bundle=self.bundle,
            units=self.units,
        )
        measure = str(look.strangest[row]) if look.foreign[row] else None
        if reason := why_foreign(scan, self.gate, measure):
            return replace(base, status="not_evaluated", reason=reason)
        low, high = (round(float(end), 6) for end in outputs.intervals[row])
        interval = (low, high) if math.isfinite(low) else None
        return replace(base, value=round(float(outputs.values[row]), 6), interval=interval)
