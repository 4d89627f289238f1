"""How well something tells the label: a small linear model, cross-validated, and its chance.

One scan a patient and folds drawn without looking at labels: then labels may be exchanged between
patients, and a permutation test holds its level exactly. The model is ridge regression on the
labels' indicators (a regularised Fisher discriminant: Hastie, Buja & Tibshirani, Annals of
Statistics 23, 1995). What it says of held-out scans is linear in the labels of the others, so a
permutation costs two products of matrices and no fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.metrics.bootstrap import bootstrap, over_patients
from latentdx.metrics.estimate import Estimate
from latentdx.metrics.metric import as_rows
from latentdx.metrics.permutation import permuted_p
from latentdx.metrics.ranks import PatientRanks
from latentdx.metrics.values import explained_variance

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FOLDS = 5
PERMUTATIONS, RESAMPLES = 999, 500
RIDGE = 0.1
"""Added to the variance of each column, which is 1; more where columns are many for the scans."""

_SAME = 1e-5
_Model = tuple[Mask, NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class LabelProbe:
    """What is asked of scans, one a patient, in folds.

    Attributes
    ----------
    targets: bool (N, K), whether a scan has each class or finding; of two classes the second, (N,
        1).
    folds: int (N,), drawn without looking at the targets.
    """

    targets: Mask
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, targets: Mask, generator: np.random.Generator) -> LabelProbe:
        """In five folds by chance."""
        return cls(targets, generator.permutation(np.arange(len(targets)) % FOLDS))

    def scores(self, features: Floats) -> Floats:
        """(N, K) what each held-out scan is given by a model of the others' features (N, D)."""
        (told,) = _held_out(_models(features, self.folds), self.targets.T[None])
        found = told.T.astype(np.float64)
        # Scans with the same features in one fold are equal, whatever rounding says.
        scores: Floats = np.round(found / max(1e-9, float(np.abs(found).max(initial=0))), 5)
        return scores

    def estimate(self, scores: Floats, generator: np.random.Generator) -> Estimate:
        """The AUROC of scores (N, K), the mean over targets, with its interval over patients."""
        everyone = np.arange(len(scores))
        asked = zip(self.targets.T, scores.T, strict=True)
        ranks = [PatientRanks.of(positive, own, everyone) for positive, own in asked]

        def statistic(drawn: NDArray[Any]) -> Floats:
            found: Floats = np.stack([each.areas(drawn) for each in ranks]).mean(axis=0)
            return found[:, None]

        counts = (len(scores), len(scores))
        return over_patients(statistic, counts, generator=generator, n_resamples=RESAMPLES)[0]

    def p_value(
        self, features: Floats, generator: np.random.Generator, most: int = PERMUTATIONS
    ) -> float:
        """The chance of such an AUROC where features (N, D) say nothing of the targets.

        `most` permutations are drawn at most: of fewer than 1 / p, none can be as small as p.
        """
        models = _models(features, self.folds)

        def draw(count: int) -> Floats:
            orders = np.stack([generator.permutation(len(features)) for _ in range(count)])
            shuffled = self.targets.T[:, orders].swapaxes(0, 1)
            return macro_areas(_held_out(models, shuffled), shuffled)

        observed = macro_areas(_held_out(models, self.targets.T[None]), self.targets.T[None])
        return permuted_p(float(observed[0]), draw, most)


def explained(
    features: Floats, values: Floats, folds: NDArray[np.int64], generator: np.random.Generator
) -> Estimate:
    """R2 of numbers (N,) by the same model of features (N, D), held out, with its interval."""
    scale = max(1e-9, float(values.std()))
    found = _held_out(_models(features, folds), ((values - values.mean()) / scale)[None, None])
    predicted = values.mean() + scale * found[0, 0].astype(np.float64)

    def statistic(weights: NDArray[Any]) -> Floats:
        return explained_variance(values, predicted, as_rows(weights, len(values)))[:, None]

    everyone = np.arange(len(values))
    return bootstrap(statistic, everyone, generator=generator, n_resamples=RESAMPLES)[0]


def _models(features: Floats, folds: NDArray[np.int64]) -> list[_Model]:
    """Of each fold: which scans are held out, their features, and what maps labels to weights.

    Columns are centred over all scans, held-out ones too: no label is needed for that.
    """
    spread = features.std(axis=0)
    features = features[:, spread > 1e-9]
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    return [_model(scaled.astype(np.float32), folds == fold) for fold in range(FOLDS)]


def _model(scaled: NDArray[np.float32], held_out: Mask) -> _Model:
    rows = scaled[~held_out]
    count, width = rows.shape
    strength = RIDGE + width / count
    if width > count:  # the same weights by the smaller of the two systems
        inner = rows @ rows.T / count + strength * np.eye(count, dtype=np.float32)
        return held_out, scaled[held_out], np.linalg.solve(inner, rows / count).T
    inner = rows.T @ rows / count + strength * np.eye(width, dtype=np.float32)
    return held_out, scaled[held_out], np.linalg.solve(inner, rows.T / count)


def _held_out(models: Sequence[_Model], answers: NDArray[Any]) -> NDArray[np.float32]:
    """Scores (B, K, N) by models of answers (B, K, N), which are centred in each fold."""
    found = np.empty(answers.shape, np.float32)
    for held_out, features, weigh in models:
        known = answers[..., ~held_out].astype(np.float32)
        known -= known.mean(axis=-1, keepdims=True)
        flat = known.reshape(-1, known.shape[-1]) @ weigh.T @ features.T
        found[..., held_out] = flat.reshape(*answers.shape[:2], -1)
    return found


def macro_areas(scores: NDArray[np.float32], targets: Mask) -> Floats:
    """(B,) AUROCs of scores and targets (B, K, N), means over K; equal scores share their rank.

    Examples
    --------
    >>> targets = np.array([[[False, True, False, True]]])
    >>> macro_areas(np.array([[[0.1, 0.2, 0.3, 0.3]]], np.float32), targets).tolist()
    [0.625]
    """
    order = scores.argsort(axis=-1)
    ascending = np.take_along_axis(scores, order, axis=-1)
    # Equal but for the rounding of products that were summed in another order.
    steps = np.diff(ascending, axis=-1) > _SAME * (np.abs(ascending[..., 1:]) + _SAME)
    place = np.arange(scores.shape[-1], dtype=np.int32)
    first = np.where(_edge(steps, 0), place, 0)
    last = np.where(_edge(steps, -1), place, len(place))
    np.maximum.accumulate(first, axis=-1, out=first)
    last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1]
    ranks = (first + last) / 2 + 1
    chosen = np.take_along_axis(targets, order, axis=-1)
    positive = chosen.sum(axis=-1).astype(np.float64)
    wins = (ranks * chosen).sum(axis=-1) - positive * (positive + 1) / 2
    found: Floats = (wins / (positive * (len(place) - positive))).mean(axis=-1)
    return found


def _edge(steps: Mask, end: int) -> Mask:
    """Whether each of N sorted scores is the first (0) or the last (-1) of those that equal it."""
    always = np.ones((*steps.shape[:-1], 1), np.bool_)
    return np.concatenate([always, steps] if end == 0 else [steps, always], axis=-1)
