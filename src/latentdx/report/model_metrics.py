"""What ``metrics.json`` says of a model of classes on the test part."""

from __future__ import annotations

from typing import Any

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.net_benefit import decision_curve
from latentdx.report.predictions import Predictions, as_json

_RESAMPLES_OF_FINDINGS = 1000


def model_metrics(
    predictions: Predictions, seed: int, prevalence: float | None = None
) -> dict[str, Any]:
    """``test``, and of two classes ``prevalence`` and ``decision_curve``.

    `prevalence`: the share of the positive class for which predictive values are told; None: that
    of these scans.
    """
    metrics = {**predictions.metrics(seed), **predictions.further(seed, prevalence=prevalence)}
    found: dict[str, Any] = {"test": as_json(metrics)}
    if predictions.probabilities.shape[1] == 2:
        share = float((predictions.labels == 1).mean()) if prevalence is None else prevalence
        source = "of the test part" if prevalence is None else "given"
        found["prevalence"] = {"value": share, "source": source}
        found["decision_curve"] = _curve(predictions, seed)
    return found


def finding_metrics(predictions: Predictions, seed: int) -> dict[str, Any]:
    """All metrics of one finding of several."""
    further = predictions.further(seed, _RESAMPLES_OF_FINDINGS)
    return as_json({**predictions.metrics(seed), **further})


def _curve(predictions: Predictions, seed: int) -> list[dict[str, Any]]:
    points = decision_curve(
        predictions.labels,
        predictions.probabilities,
        predictions.patients,
        generator=numpy_generator(seed, "bootstrap"),
    )
    return [
        {
            "threshold": at,
            "model": model.as_json(),
            "treat_all": everybody.as_json(),
            "gain": gain.as_json(),
        }
        for at, model, everybody, gain in points
    ]
