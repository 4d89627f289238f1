"""The few-label probe: what a linear classifier makes of features with a handful of labels.

    repeat R times: draw some 50 labelled scans of train, by patient and class
        features -> standardised, principal components (fitted on train, which needs no labels)
        multinomial logistic regression, C by patient-grouped cross-validation within the draw
        probabilities of every scan of tune

Autoencoders are chosen and compared by it: it asks for what they are for, it is quick, and its
log-loss tells calibrated from rash features where AUROC is the same. A linear readout of frozen
features: Alain & Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.features.table import FeatureTable
from latentdx.features.whiten import PrincipalComponents, Standardiser
from latentdx.metrics.bootstrap import patient_groups
from latentdx.metrics.calibration import log_loss
from latentdx.metrics.crossed import Crossed, crossed_bootstrap
from latentdx.metrics.metric import Metric

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Table = NDArray[np.float64]

_STRENGTHS = (0.03, 0.3, 3.0, 30.0)  # C, for rows of unit mean square
_FOLDS = 3
_BASIS = 2000  # scans from which the scaling is fitted


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is made.

    Attributes
    ----------
    draws: of few labelled scans; each gives a classifier.
    labelled: scans a draw, at most half of those that are there; every class keeps its share,
        but has at least `fewest`.
    components: principal components kept of the standardised features. They are not whitened, as
        the diagnosis' are: with 50 labels whitened noise is followed (an untrained encoder on
        pneumoniamnist: log-loss .38 and AUROC .88 of 32 whitened ones, .25 and .96 without).
    """

    draws: int = 10
    labelled: int = 50
    fewest: int = 2
    components: int = 256


@dataclass(frozen=True)
class Probe:
    """What the classifiers said.

    Attributes
    ----------
    probabilities: (R, N, K), of R draws for the N scans of `tune` and K classes.
    labels, patients: (N,) of those scans.
    """

    probabilities: Table
    labels: Ints
    patients: NDArray[np.str_]

    def losses(self) -> Table:
        """The log-loss of each draw, (R,)."""
        return np.array([log_loss(self.labels, table) for table in self.probabilities])

    def measured(self, metric: Metric, *, seed: int) -> Crossed:
        """A metric's mean over the draws, resampled over patients and draws.

        Probes of one collection and one `seed` are resampled alike, so they can be subtracted.
        """
        draws = np.arange(len(self.probabilities))
        return crossed_bootstrap(
            metric, self.labels, self.probabilities, self.patients, draws=draws, seed=seed
        )


def few_label_probe(
    train: FeatureTable, tune: FeatureTable, settings: ProbeSettings | None = None, *, seed: int
) -> Probe:
    """Probabilities of the scans of `tune` by classifiers fitted on few labelled scans of `train`.

    The draws depend on `seed`, labels and patients alone: other features of the same scans, in
    the same order, are judged by the same draws. Raises `StopError` ``E_ONE_CLASS``.
    """
    settings = settings or ProbeSettings()
    if len(np.unique(train.labels)) < len(train.classes):
        found = "the labelled scans of the training part lack a class"
        raise StopError("E_ONE_CLASS", found, fix="add labelled scans of every class")
    known, asked = _scaled(train, tune, settings, seed)
    groups = patient_groups(train.patients)
    tables = []
    for number in range(settings.draws):
        rows = few_labels(train.labels, groups, settings, numpy_generator(seed, "draw", number))
        tables.append(_fitted(known[rows], train.labels[rows], groups[rows], asked))
    return Probe(np.stack(tables), tune.labels, tune.patients)


def few_labels(
    labels: Ints, patients: Ints, settings: ProbeSettings, generator: np.random.Generator
) -> Ints:
    """Rows (ascending) of a draw of few labelled scans: patient after patient, class by class.

    Examples
    --------
    >>> labels, patients = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1]), np.arange(9)
    >>> rows = few_labels(labels, patients, ProbeSettings(labelled=4), np.random.default_rng(0))
    >>> np.bincount(labels[rows]).tolist()
    [3, 2]
    """
    order = generator.permutation(int(patients.max()) + 1)[patients]
    total = min(settings.labelled, len(labels) // 2)
    drawn = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        quota = max(settings.fewest, round(total * len(rows) / len(labels)))
        drawn.append(rows[np.argsort(order[rows], kind="stable")][:quota])
    return np.sort(np.concatenate(drawn))


def _scaled(
    train: FeatureTable, tune: FeatureTable, settings: ProbeSettings, seed: int
) -> tuple[Floats, Floats]:
    """Principal components of both parts, by those of train; its rows have unit mean square."""
    basis = np.arange(len(train))
    if len(basis) > _BASIS:
        basis = np.sort(numpy_generator(seed, "basis").choice(len(basis), _BASIS, replace=False))
    standardiser = Standardiser.fit(train.embeddings[basis])
    scaled = standardiser(train.embeddings[basis])
    found = PrincipalComponents.fit(scaled, settings.components)
    axes = found.axes / np.linalg.norm(found.axes, axis=0)
    rows = (scaled - found.mean) @ axes
    axes /= max(float(np.sqrt((rows**2).sum(axis=1).mean())), 1e-9)
    known, asked = (
        ((standardiser(table.embeddings) - found.mean) @ axes).astype(np.float32)
        for table in (train, tune)
    )
    return known, asked


def _fitted(features: Floats, labels: Ints, groups: Ints, asked: Floats) -> Table:
    """Probabilities (N, K) of `asked` by a classifier with the best C."""
    parts = _folds(labels, groups)
    losses = [_held_out_loss(value, features, labels, parts) for value in _STRENGTHS]
    best = int(np.argmin(losses)) if parts else len(_STRENGTHS) // 2
    table: Table = _classifier(_STRENGTHS[best], features, labels).predict_proba(asked)
    return table


def _folds(labels: Ints, groups: Ints) -> list[tuple[Ints, Ints]]:
    """(rows to fit on, rows held out); none where a class would be missing from what is fitted."""
    from sklearn.model_selection import StratifiedGroupKFold

    rarest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if (n_folds := min(_FOLDS, rarest)) < 2:
        return []
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=derive_seed(0) % 2**32)
    parts = list(folds.split(labels, labels, groups))
    n_classes = len(np.unique(labels))
    whole = all(len(np.unique(labels[rows])) == n_classes and len(out) for rows, out in parts)
    return parts if whole else []


def _held_out_loss(
    strength: float, features: Floats, labels: Ints, parts: list[tuple[Ints, Ints]]
) -> float:
    """Log-loss over the held-out scans of all folds."""
    table = np.full((len(labels), int(labels.max()) + 1), np.nan)
    for rows, out in parts:
        table[out] = _classifier(strength, features[rows], labels[rows]).predict_proba(
            features[out]
        )
    return log_loss(labels, table) if parts else np.inf


def _classifier(strength: float, features: Floats, labels: Ints) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=2000).fit(features, labels)
