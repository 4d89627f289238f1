"""`rank`: which unlabelled scans are worth a label next, by the features of all that may be seen.

typical      in the middle of groups that have no label yet: for the first labels
             (TypiClust: Hacohen, Dekel & Weinshall, ICML 2022)
coverage     furthest from all that is labelled or ranked above
             (k-center greedy: Sener & Savarese, ICLR 2018)
uncertainty  where a classifier of the labels so far hesitates most between two classes
             (margin: Scheffer, Decomain & Wrobel, IDA 2001)
diversity    where it hesitates, but each unlike those ranked above: k-means++ on the gradients
             of the last layer (BADGE: Ash et al., ICLR 2020)
random       by lot
auto         typical while labels are very few, then diversity
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.softmax import Softmax
from latentdx.diagnosis.suggest_picks import PICKS, Asked, PickName, Table
from latentdx.diagnosis.suggest_pool import Chosen, Floats, Mask, Pool, Suggestion
from latentdx.features.whiten import PrincipalComponents, Standardiser

StrategyName = Literal["auto", PickName]
STRATEGIES: tuple[StrategyName, ...] = ("auto", *get_args(PickName))

FEWEST = 5  # labels a class, below which `auto` asks for typical scans
STRENGTH = 1.0  # C of the classifier, for rows of unit mean square
_COMPONENTS, _WHITENING = 64, 0.5
_FITTED_ON = 1000  # scans: so that ranking ten thousand stays below a second
_NEED_A_MODEL = ("uncertainty", "diversity")


@dataclass(frozen=True)
class Ranking:
    """Suggestions, the most wanted first, and the strategy that made them."""

    strategy: PickName
    suggestions: tuple[Suggestion, ...]


def rank(
    pool: Pool, n: int, strategy: StrategyName = "auto", *, by_patient: bool = True, seed: int = 0
) -> Ranking:
    """At most `n` open scans, the most wanted first; the same for the same pool and seed.

    With `by_patient` at most one scan a patient, and none of a patient who has a labelled scan as
    long as there are others. Copies of a scan are not suggested twice. Strategies that need a
    classifier become ``typical`` where fewer than two classes have a label.

    Examples
    --------
    >>> rows = scaled(np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32))
    >>> nobody, everybody = np.full(30, -1), np.full(30, True)
    >>> found = rank(Pool(rows, nobody, np.arange(30) // 2, everybody, ()), 4)
    >>> found.strategy, len({item.row // 2 for item in found.suggestions})
    ('typical', 4)
    """
    used = _resolved(pool, strategy)
    if by_patient:
        pool = replace(pool, open=_of_new_patients(pool))
    chosen = Chosen(pool, n, by_patient=by_patient)
    probabilities = _probabilities(pool) if pool.n_seen > 1 else None
    PICKS[used](Asked(pool, probabilities, seed), chosen)
    return Ranking(used, tuple(_guessed(item, probabilities) for item in chosen.suggestions))


def scaled(embeddings: Floats) -> Floats:
    """Principal components (N, M) of standardised embeddings (N, D), M at most 64.

    Whitened by half, as the diagnosis' classifier takes them; rows have unit mean square. Fitted on
    at most 1,000 of the rows, drawn by lot.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(50, 200)).astype(np.float32)
    >>> scaled(rows).shape
    (50, 49)
    """
    drawn = numpy_generator(0, "scaled").permutation(len(embeddings))[:_FITTED_ON]
    sample = embeddings[np.sort(drawn)]
    standardiser = Standardiser.fit(sample)
    components = PrincipalComponents.fit(standardiser(sample), _COMPONENTS, _WHITENING)
    # one product instead of a standardised copy of all: the shift of rows changes no distance
    axes = components.axes / standardiser.scale[:, None]
    found = (embeddings @ axes).astype(np.float64)
    found -= found.mean(axis=0)
    found /= max(float(np.sqrt((found**2).sum(axis=1).mean())), 1e-9)
    rows_of_unit: Floats = found.astype(np.float32)
    return rows_of_unit


def _resolved(pool: Pool, strategy: StrategyName) -> PickName:
    """The strategy that is used: ``auto`` by the number of labels."""
    few = pool.n_seen < 2
    if strategy == "auto":
        few |= len(pool.labelled) < FEWEST * len(pool.classes)
        return "typical" if few else "diversity"
    return "typical" if few and strategy in _NEED_A_MODEL else strategy


def _of_new_patients(pool: Pool) -> Mask:
    """Open scans of patients without a labelled scan; all open ones where there are none."""
    known = np.isin(pool.patients, pool.patients[pool.labelled])
    found: Mask = pool.open & ~known
    return found if found.any() else pool.open


def _probabilities(pool: Pool) -> Table:
    """(N, K) by a logistic regression on the labelled scans."""
    rows = pool.labelled
    model = Softmax.fit(pool.features[rows], pool.labels[rows], len(pool.classes), STRENGTH)
    return model.probabilities(pool.features)


def _guessed(item: Suggestion, probabilities: Table | None) -> Suggestion:
    if probabilities is None:
        return item
    guess = int(probabilities[item.row].argmax())
    return replace(item, guess=guess, confidence=float(probabilities[item.row, guess]))
