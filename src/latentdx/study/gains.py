"""Whether a part of a model is worth it, in words: what it adds to the model without it."""

from __future__ import annotations

from dataclasses import dataclass

from latentdx.metrics.estimate import Estimate
from latentdx.report.verdict import FEWEST_PATIENTS


@dataclass(frozen=True)
class Part:
    """The words for a part: what it is, with it, against what, and that it helps, harms, or may."""

    name: str
    given: str
    against: str
    helps: str
    harms: str
    may_help: str


COVARIATES = Part(
    *("the covariates add", "them", "the picture alone"),
    *("they are worth it", "they harm", "it is not sure that they help"),
)
FINE_TUNING = Part(
    *("fine-tuning adds", "fine-tuning", "the classifier alone"),
    *("it is worth it", "it harms", "it is not sure that it helps"),
)
ADAPTATION = Part(
    *("adaptation adds", "adaptation", "the model as it is"),
    *("it is worth it", "it harms", "it is not sure that it helps"),
)


def gain_sentence(
    part: Part, gain: Estimate, metric: str = "AUROC", *, is_error: bool = False
) -> str:
    """Whether `part` is worth it; `gain` is that of the metric, paired.

    `is_error`: the metric is an error, and `gain` by how much it falls.

    Examples
    --------
    >>> gain_sentence(FINE_TUNING, Estimate(0.02, 0.01, 0.03, 60, 40))
    'With fine-tuning the AUROC is +0.020 against the classifier alone (95 % interval +0.010 to \
+0.030): it is worth it.'
    """
    few = gain.n_patients < FEWEST_PATIENTS
    if few or gain.value is None or gain.low is None or gain.high is None:
        return f"What {part.name} cannot be told on this test part."
    ends = (-gain.high, -gain.low) if is_error else (gain.low, gain.high)
    value = -gain.value if is_error else gain.value
    found = f"With {part.given} the {metric} is {value:+.3f} against {part.against} "
    found += f"(95 % interval {ends[0]:+.3f} to {ends[1]:+.3f})"
    if gain.low > 0:
        return f"{found}: {part.helps}."
    return f"{found}: {part.harms if gain.high < 0 else part.may_help}."
