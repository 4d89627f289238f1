"""Drift in words, for the page, the terminal and the warnings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.report.card import field_of, known_number, number

NAMES = {
    "pixels": "Grey levels and sharpness",
    "embeddings": "What the encoder sees",
    "scores": "Scores of the classifier",
}
EXPECTED = {
    "average_confidence": "mean probability of what is decided",
    "thresholded_confidence": "share above the confidence of held-out errors",
}
_LEADS = {
    "none shown": "No difference from the scans that the model was made from could be shown.",
    "slight": "They differ slightly from the scans that the model was made from.",
    "moderate": "They differ moderately from the scans that the model was made from: "
    "look at the table before you trust a number.",
    "strong": "They differ strongly from the scans that the model was made from: "
    "it answers questions that it was not made for.",
}
_REASONS = {
    "scans": "Accuracy is not foretold: scans are decided together.",
    "the drift": "Accuracy is not foretold: the drift is too large.",
    "numbers": "How far numbers err is not foretold without values to compare them with.",
    "the bundle": "Drift could not be looked for: the bundle keeps no reference.",
    "fewer": "Drift could not be looked for: there are too few patients.",
}


def drift_sentences(drift: Mapping[str, Any]) -> list[str]:
    """What was found, a sentence each.

    Examples
    --------
    >>> drift_sentences({"reason": "fewer than 20 patients: drift cannot be told"})
    ['Drift could not be looked for: there are too few patients.']
    """
    found = [_LEADS[drift["largest"]]] if "largest" in drift else []
    reason = str(drift.get("reason", ""))
    found += [text for start, text in _REASONS.items() if reason.startswith(start)]
    for name, words in EXPECTED.items():
        ends = [known_number(field_of(drift, "expected", name, of)) for of in _FIELDS]
        if None not in ends:
            value, low, high = map(number, ends)
            found.append(
                f"Expected accuracy without labels: {value} ({low} to {high}), by {words}."
            )
    return found


_FIELDS = ("value", "low", "high")


def drift_rows(drift: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """One line a test: what was compared, its size, how far apart, and the corrected p-value."""
    return [
        (
            NAMES.get(test["of"], test["of"]),
            test["size"],
            f"{test['by'].replace('auroc', 'AUROC')} {test['effect']:.2f}",
            f"{test['p_corrected']:.2g}",
        )
        for test in drift.get("tests", ())
    ]


def drift_warnings(drift: Mapping[str, Any]) -> list[str]:
    """One warning where something differs moderately or strongly."""
    found = _differing(drift)
    told = f"drift: {found} differ from those of the scans that the model was made from"
    return [told] if found else []


def shift_warnings(drift: Mapping[str, Any]) -> list[str]:
    """The same of a run's own test part."""
    found = _differing(drift)
    told = (
        f"shift: {found} of the test scans differ from those of patients held out beside them: "
        "probabilities and thresholds were fitted on other scans than these"
    )
    return [told] if found else []


def _differing(drift: Mapping[str, Any]) -> str:
    sizes = ("moderate", "strong")
    return ", ".join(test["of"] for test in drift.get("tests", ()) if test["size"] in sizes)
