"""What `latentdx predict` prints for people."""

from __future__ import annotations

from typing import Any

from latentdx.cli.errors import NOT_IMAGE


def decided_from(model: Any) -> str | None:
    """From which probability a scan is called positive, where two classes have a threshold."""
    head = getattr(model, "head", None)
    threshold = getattr(head, "threshold", None)
    if head is None or threshold is None:
        return None
    target = head.threshold_target
    return f"{model.classes[1]}: from a probability of {threshold:.3f} on (threshold: {target})"


def in_words(diagnosis: Any, coverage: float, *, several: bool = False) -> str:
    """One line for people; `coverage` is that of the prediction sets; `several` findings a scan."""
    path, paths = diagnosis.path, diagnosis.paths or ()
    if len(paths) > 1:
        path = f"{path} and {len(paths) - 1} more"
    if diagnosis.reason is not None and diagnosis.reason.code == NOT_IMAGE:
        return f"{path}: left out ({diagnosis.reason.text})"
    if diagnosis.reason is not None:
        return f"{path}: {diagnosis.status} ({diagnosis.reason.text})"
    unknown = f"; {', '.join(diagnosis.missing)} not known" if diagnosis.missing else ""
    unknown += "; no mask, read whole" if diagnosis.warnings else ""
    if diagnosis.units is not None:
        return f"{path}: {_value_in_words(diagnosis, coverage)}{unknown})"
    shown = ", ".join(f"{name} {p:.3f}" for name, p in diagnosis.probabilities.items())
    possible = f"{100 * coverage:g} % set: {' or '.join(diagnosis.prediction_set)}"
    if several:
        left = ", ".join(diagnosis.prediction_set) or "nothing"
        possible = f"not ruled out at {100 * coverage:g} %: {left}"
    return (
        f"{path}: {diagnosis.label} ({shown}; {possible}; "
        f"anomaly {diagnosis.anomaly_score:.2f}{unknown})"
    )


def _value_in_words(diagnosis: Any, coverage: float) -> str:
    unit = f" {diagnosis.units}" if diagnosis.units else ""
    ends = "none is promised"
    if diagnosis.interval is not None:
        ends = f"{diagnosis.interval[0]:.4g} to {diagnosis.interval[1]:.4g}"
    return (
        f"{diagnosis.value:.4g}{unit} ({100 * coverage:g} % interval: {ends}; "
        f"anomaly {diagnosis.anomaly_score:.2f}"
    )
