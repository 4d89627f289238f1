"""Was the autoencoder worth it? One plain sentence, from paired intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from latentdx.metrics.estimate import Estimate
from latentdx.report.predictions import Scored

One = TypeVar("One", bound=Scored)

RIVALS = {
    "majority": "guessing the commonest class",
    "median": "guessing the median",
    "metadata": "metadata without the picture",
    "pixels-pca-svm": "raw pixels with the same classifier",
    "hog-svm": "HOG with the same classifier",
    "untrained-encoder": "the same encoder left untrained",
    "cnn-from-scratch": "a CNN trained from scratch",
}

WITHOUT = "without-covariates"
"""The model on the picture alone: no rival of the autoencoder's, but of the covariates'."""
UNTUNED = "without-fine-tuning"
"""The classifier on the encoder's features alone: a rival of the fine-tuned network beside it."""

FEWEST_PATIENTS = 10
"""With fewer, resampled intervals are too narrow: they hold the same few again and again."""


def verdict(model: One, rivals: Mapping[str, One], seed: int, counted: str = "scans") -> str:
    """Compare the model with its strongest rival on the same test scans.

    By AUROC; where classes are grades, by quadratic weighted kappa. `counted`: what they are.
    """
    rivals = {name: rival for name, rival in rivals.items() if name not in (WITHOUT, UNTUNED)}
    by, title = model.judged_by
    scored = {name: rival.metrics(seed, 200)[by].value for name, rival in rivals.items()}
    known = {name: value for name, value in scored.items() if value is not None}
    own = model.metrics(seed, 200)[by].value
    if not known or own is None:
        return f"No verdict: the {title} cannot be computed on this test part."
    best = max(known, key=lambda name: known[name])
    difference = model.lead_over(rivals[best], seed)
    head = (
        f"the strongest baseline is {RIVALS[best]} ({title} {known[best]:.3f}, against {own:.3f})"
    )
    return f"{judgement(difference)}: {head}; {_interval(difference, counted)}."


def judgement(difference: Estimate) -> str:
    """Whether the autoencoder was worth it, by its lead over the strongest rival."""
    if difference.low is None or difference.high is None:
        return "No verdict"
    if difference.n_patients < FEWEST_PATIENTS:
        return "No verdict, the test part has too few patients"
    if difference.low > 0:
        return "The autoencoder was worth it"
    if difference.high < 0:
        return "The autoencoder was not worth it"
    return "The autoencoder cannot be told apart from a simpler baseline"


def _interval(difference: Estimate, counted: str) -> str:
    if difference.value is None or difference.low is None or difference.high is None:
        return "too few patients for an interval of the difference"
    return (
        f"the difference is {difference.value:+.3f} "
        f"(95 % interval {difference.low:+.3f} to {difference.high:+.3f}, "
        f"{difference.n_scans} {counted} of {difference.n_patients} patients)"
    )
