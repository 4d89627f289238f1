"""What is asked of the evaluation of a finished bundle."""

from __future__ import annotations

from dataclasses import dataclass

from latentdx.collection.split import Overlap
from latentdx.features.adapt import AdaptChoice
from latentdx.report.language import Language


@dataclass(frozen=True)
class Wanted:
    """What is asked of an evaluation.

    Attributes
    ----------
    prevalence: the share of the positive class for which predictive values are told; None: that of
        the scans tested.
    language: of the report.
    adapt: how the model is adapted to the scans, too; see `adapt_to`.
    label_shift: whether class shares are estimated without labels, and probabilities corrected.
    overlap: what is done with scans that labels were learned from; see `unseen_part`.
    """

    prevalence: float | None = None
    language: Language = "en"
    adapt: AdaptChoice = "none"
    label_shift: bool = False
    overlap: Overlap = "stop"
