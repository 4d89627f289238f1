"""Abstention with a promise: among answered scans, errors are as rare as was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv

from latentdx.diagnosis.independent import one_a_patient

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CONFIDENCE = 0.9
"""How sure one may be that the promised risk is kept."""

_STEPS = 4  # cutoffs between a doubt and its double
_STARTS = (0, _STEPS, 2 * _STEPS)  # half, once and twice the risk


@dataclass(frozen=True)
class RiskControl:
    """A scan is answered where its confidence, the decided class's probability, is high enough.

    Attributes
    ----------
    risk: the largest share of wrong answers that is wanted.
    confidence: how sure one may be that the share is not above it.
    cutoff: the least confidence that is answered; None where no cutoff could be shown to keep
        the risk: then nothing is promised, and it decides nothing.
    n_patients: by whom it was tested, one scan each; n_answered, n_wrong: of those.
    """

    risk: float
    confidence: float
    cutoff: float | None
    n_patients: int
    n_answered: int
    n_wrong: int

    def answers(self, probabilities: Floats, decided: Ints) -> Bools:
        """(N,), True where a scan is answered; all are where the risk cannot be kept."""
        if self.cutoff is None:
            return np.ones(len(decided), np.bool_)
        # The margin as for prediction sets: equality counts whatever way it was rounded.
        answered: Bools = confidences(probabilities, decided) >= self.cutoff - 1e-12
        return answered

    def largest_risk(self) -> float:
        """The upper end of the Clopper-Pearson interval of the answered scans' risk.

        For this one cutoff, one-sided, at `confidence`; 1 where none was answered.
        """
        if self.n_wrong >= self.n_answered:
            return 1.0
        n_right = self.n_answered - self.n_wrong
        return float(betaincinv(self.n_wrong + 1, n_right, self.confidence))


def confidences(probabilities: Floats, decided: Ints) -> Floats:
    """The probability (N,) of the decided class: by it a mistake is least likely (Chow, 1970)."""
    found: Floats = probabilities[np.arange(len(decided)), decided]
    return found


def control_risk(
    confident: Floats,
    right: Bools,
    patients: Sequence[str] | NDArray[np.str_],
    risk: float,
    *,
    confidence: float = CONFIDENCE,
    seed: int,
) -> RiskControl:
    """The lowest cutoff on confidences (N,) at which wrong answers are shown to be rare enough.

    `right` (N,): whether the decision is the label, of scans of ``tune``. One scan a patient is
    counted. Each cutoff of a fixed row (`cutoffs_for`) is a hypothesis, "more than `risk` of its
    answers are wrong", tested by the exact binomial (Clopper & Pearson, Biometrika 26, 1934);
    rejected ones are safe: selection with guaranteed risk (Geifman & El-Yaniv, NeurIPS 2017) as
    multiple testing (Angelopoulos et al., "Learn then test", Annals of Applied Statistics 2025).
    The level 1 - `confidence` is shared by three starts, and what a rejection used is handed to
    the next lower cutoff (fallback procedure: Wiens & Dmitrienko, Journal of Biopharmaceutical
    Statistics 15, 2005).

    Examples
    --------
    >>> sure, right = np.linspace(0.5, 1, 200), np.arange(200) > 60
    >>> found = control_risk(sure, right, [str(n) for n in range(200)], 0.2, seed=0)
    >>> round(found.cutoff, 3), found.n_answered, found.n_wrong
    (0.6, 160, 21)
    """
    rows = one_a_patient(patients, seed=seed)
    sure, correct = confident[rows], right[rows]
    best: tuple[float | None, int, int] = (None, 0, 0)
    level = 0.0
    for place, cutoff in enumerate(cutoffs_for(risk)):
        level += (1 - confidence) / len(_STARTS) if place in _STARTS else 0.0
        answered = sure >= cutoff
        n_answered, n_wrong = int(answered.sum()), int((answered & ~correct).sum())
        if n_answered and bdtr(n_wrong, n_answered, risk) <= level:
            best = (float(cutoff), n_answered, n_wrong)
        else:
            level = 0.0
    return RiskControl(risk, confidence, best[0], len(rows), *best[1:])


def cutoffs_for(risk: float) -> Floats:
    """Cutoffs to be tested, from high to low, ending with 0: all are answered.

    They depend on the risk alone, never on the scans. The first leaves half the risk as doubt, 1
    - cutoff, and each fourth the double: were probabilities exact, answers above 1 - risk would
    be wrong more rarely than that, and those above 1 - 2 risk about as often.

    Examples
    --------
    >>> cutoffs_for(0.4).round(2).tolist()
    [0.8, 0.76, 0.72, 0.66, 0.6, 0.52, 0.43, 0.33, 0.2, 0.05, 0.0]
    """
    doubts = risk / 2 * 2 ** (np.arange(200) / _STEPS)
    return np.append(1 - doubts[doubts < 1], 0.0)


def fewest_patients(risk: float, confidence: float = CONFIDENCE) -> int:
    """Patients, all answered rightly, that are needed to show a risk at all.

    Examples
    --------
    >>> fewest_patients(0.05), fewest_patients(0.2)
    (67, 16)
    """
    level = (1 - confidence) / len(_STARTS)
    return int(np.ceil(np.log(level) / np.log1p(-risk)))
