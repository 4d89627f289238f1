"""`Head`: from features to probabilities and decisions; every part of it fitted on its own part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.augment import GEOMETRIC, AugmentSettings
from latentdx.collection.cases import Pool
from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.attention_pool import AttentionPool
from latentdx.diagnosis.calibration_choice import fit_calibration
from latentdx.diagnosis.calibration_cumulative import median_class
from latentdx.diagnosis.calibrations import Calibration, CalibrationChoice
from latentdx.diagnosis.classifiers import choose, fit_classifier, sigmoid_for
from latentdx.diagnosis.fit_gaussian_process import MOST_ROWS
from latentdx.diagnosis.head_attention import with_attention
from latentdx.diagnosis.head_held_out import held_out
from latentdx.diagnosis.machine import Machine
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.machines_cumulative import Cumulative, scores_by_class
from latentdx.diagnosis.own_classifier import OWN, Classifier, Own, OwnMachine
from latentdx.diagnosis.scaling import chosen_scaling
from latentdx.diagnosis.semi_supervised import GUESSING, SHARE, SemiSupervised, guess
from latentdx.diagnosis.threshold import BALANCED
from latentdx.diagnosis.training_table import training_table
from latentdx.diagnosis.views import Viewed, score_views, views_of
from latentdx.features.adapt import Source
from latentdx.features.moments import Affine
from latentdx.features.table import Extract, FeatureTable
from latentdx.features.whiten import PrincipalComponents, Standardiser

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class HeadSettings:
    """How a classifier is fitted on features.

    Attributes
    ----------
    classifier: by name; in Python also a scikit-learn one: a bundle cannot hold it.
    rows: wanted with augmented copies, `fewest_copies` to `most_copies` of them a scan.
    components: principal components kept of the features.
    whitenings: forms in which they may come (see `PrincipalComponents.fit`), the preferred first;
        cross-validation within train chooses. Few labels want half-whitened ones: docs/research.md.
    weights: shares of all components that a covariate may count for; chosen as the form is.
    flip: mirrored copies, and scores averaged over a scan and its mirror image. Off where left
        and right are the diagnosis.
    calibration: by name, or ``auto``.
    semi_supervised: how unlabelled scans of the training side get labels (``consistency``: none).
    pool: how the scans of a case are joined, where cases are decided.
    ordered: the classes are grades, in their order.
    """

    classifier: Classifier = "svm"
    rows: int = 14_000
    fewest_copies: int = 2
    most_copies: int = 8
    components: int = 256
    whitenings: tuple[float, ...] = (0.5, 0.0, 1.0)
    weights: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    flip: bool = True
    calibration: CalibrationChoice = "sigmoid"
    semi_supervised: SemiSupervised = "none"
    pool: Pool = "mean"
    ordered: bool = False

    def n_copies(self, n_scans: int) -> int:
        """Augmented copies of each of `n_scans` training scans."""
        wanted = self.rows // max(1, n_scans) - 1
        fewest = self.fewest_copies
        if self.classifier == "gaussian-process":
            wanted, fewest = min(wanted, MOST_ROWS // max(1, n_scans) - 1), 0
        return int(np.clip(wanted, fewest, self.most_copies))

    def augmentation(self) -> AugmentSettings:
        """What copies may look like."""
        return GEOMETRIC if self.flip else replace(GEOMETRIC, flip=0.0)


@dataclass(frozen=True)
class Head:
    """Standardised, reduced features into a classifier; calibrated once `calibrate` was seen.

    `strength` is the chosen C (or k, ...: see `CHOICES`); `name` is "own" of a classifier
    that was given as an object. `threshold`, for two classes, is the probability of the
    second from which it is decided, `threshold_target` what it is to reach, in words.
    `boundary` is the score at which the two are held for equally likely: see `boundary_of`.
    `attention` weighs the scans of a case, and scores them beside the classifier. `scales` (2, Q),
    with it or a fine-tuned network, divide the two scores: see `fine_tuned`.
    `source`: what its scans are like; `moved`: of scans of another site, see `adapted_head`.
    """

    name: ClassifierName | Own
    strength: float
    standardiser: Standardiser
    components: PrincipalComponents
    machine: Machine
    calibration: Calibration | None = None
    threshold: float | None = None
    threshold_target: str = BALANCED
    scales: Floats | None = None
    boundary: float = 0.0
    attention: AttentionPool | None = None
    source: Source | None = None
    moved: Affine | None = None

    @property
    def ordered(self) -> bool:
        """Whether its classes are grades."""
        return isinstance(self.machine, Cumulative)

    @property
    def classifier(self) -> Classifier:
        """What `fit_classifier` takes to fit another one like it."""
        machine = self.machine.parts["0"] if isinstance(self.machine, Cumulative) else self.machine
        if isinstance(machine, OwnMachine):
            found: Classifier = machine.estimator
            return found
        assert self.name != OWN
        return self.name

    @property
    def width(self) -> int:
        """D, how many numbers of an embedding the classifier reads."""
        return len(self.standardiser.mean)

    def scores(self, embeddings: Floats) -> Floats:
        """Uncalibrated scores (N, Q) of embeddings (N, D), with `scales` (N, D + Q)."""
        reduced = self.reduced(embeddings)
        scores = self.machine.scores(reduced)
        if self.scales is None:
            return scores
        beside = self.attention.scores(reduced) if self.attention else embeddings[:, self.width :]
        found: Floats = scores / self.scales[0] + beside / self.scales[1]
        return found

    def importance(self, embeddings: Floats) -> Floats | None:
        """How much scans count in their case, (N,); None where all count alike."""
        if self.attention is None:
            return None
        return self.attention.importance(self.reduced(embeddings))

    def reduced(self, embeddings: Floats) -> Floats:
        """(N, D) to (N, M): standardised, then principal components of mean variance 1.

        What stands beside the picture, the last columns of both, is weighed and handed through.
        """
        found = self.components(self.standardiser(embeddings[:, : self.width]))
        return found if self.moved is None else self.moved(found)

    def probabilities(self, scores: Floats) -> NDArray[np.float64]:
        """Calibrated probabilities (N, K) of scores (N, Q)."""
        assert self.calibration is not None, "calibrate first"
        return self.calibration.probabilities(scores)

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Class indices (N,): by the threshold of two, the median of grades, the likeliest else."""
        if self.ordered:
            return median_class(probabilities)
        if self.threshold is None:
            likeliest: NDArray[np.int64] = probabilities.argmax(axis=1)
            return likeliest
        decided: NDArray[np.int64] = (probabilities[:, 1] >= self.threshold).astype(np.int64)
        return decided

    def calibrated(
        self, scores: Floats, labels: NDArray[np.int64], calibration: Calibration | None = None
    ) -> Head:
        """This head, calibrated on scores (N, Q) of ``calibrate``; by default a sigmoid is fitted.

        The threshold targets balanced accuracy: the probability at the `boundary`.
        """
        calibration = calibration or sigmoid_for(scores, labels, ordered=self.ordered)
        binary = scores.shape[1] == 1 and not self.ordered
        where = np.full((1, 1), self.boundary, np.float32)
        if self.scales is not None:
            where = where / self.scales[0]
        threshold = float(calibration.probabilities(where)[0, 1]) if binary else None
        return replace(self, calibration=calibration, threshold=threshold)


def fit_head(
    table: FeatureTable,
    settings: HeadSettings,
    *,
    n_scans: int,
    seed: int,
    unlabelled: FeatureTable | None = None,
) -> Head:
    """Fit on a training table whose first `n_scans` rows are scans, the others their copies.

    Scaling is fitted on the scans, with `unlabelled` ones of the training side beside them: few
    scans span too little, so that their copies join them. Its form and the classifier's strength
    are chosen by patient-grouped cross-validation on the scans themselves.
    """
    choice = partial(
        choose,
        settings.classifier,
        labels=table.labels[:n_scans],
        patients=table.patients[:n_scans].tolist(),
        seed=seed,
        ordered=settings.ordered,
    )
    standardiser, components, strength = chosen_scaling(
        table, settings, choice, n_scans=n_scans, unlabelled=unlabelled
    )
    machine = fit_classifier(
        settings.classifier,
        components(standardiser(table.embeddings)),
        table.labels,
        n_classes=len(table.classes),
        strength=strength,
        patients=table.patients.tolist(),
        ordered=settings.ordered,
    )
    name = settings.classifier if isinstance(settings.classifier, str) else OWN
    return Head(name, strength, standardiser, components, machine)


def train_head(  # noqa: PLR0913 - two parts, how, and what helps
    train: LabelledScans,
    calibrate: LabelledScans,
    extract: Extract,
    settings: HeadSettings,
    *,
    seed: int,
    extractor_hash: str = "",
    unlabelled: FeatureTable | None = None,
) -> Head:
    """Augment, extract, fit on `train` and calibrate on `calibrate`.

    Used alike for the autoencoder's features and for every baseline. `unlabelled` scans of the
    training side help to scale the features, and as `settings.semi_supervised` says.
    """
    table = training_table(train, extract, settings, seed=seed, extractor_hash=extractor_hash)
    held = Viewed.of(calibrate, extract, flip=settings.flip)
    return fit_calibrated(table, held, settings, n_scans=len(train), seed=seed, others=unlabelled)


def fit_calibrated(
    table: FeatureTable,
    calibrate: Viewed,
    settings: HeadSettings,
    *,
    n_scans: int,
    seed: int,
    others: FeatureTable | None = None,
) -> Head:
    """Fit on a `training_table` of `n_scans` scans, with unlabelled `others`; calibrate."""
    fitted = table
    if others is not None and len(others) and settings.semi_supervised in GUESSING:
        fitted = _with_guesses(table, others, settings, n_scans=n_scans, seed=seed)
    head = fit_head(fitted, settings, n_scans=n_scans, seed=seed, unlabelled=others)
    held = held_out(head, table, calibrate, others, n_scans=n_scans, seed=seed)
    if settings.pool == "attention" and table.cases is not None:
        head = with_attention(head, table, calibrate, n_scans=n_scans, seed=seed)
        held = replace(held, scores=calibrate.scores(head))
    calibration = fit_calibration(
        settings.calibration,
        held.scores,
        held.labels,
        held.patients.tolist(),
        seed=seed,
        ordered=settings.ordered,
    )
    source = Source.of(table, n_scans, head.standardiser, head.components)
    head = replace(head, boundary=held.boundary, source=source)
    return head.calibrated(held.scores, held.labels, calibration)


def _with_guesses(
    table: FeatureTable, others: FeatureTable, settings: HeadSettings, *, n_scans: int, seed: int
) -> FeatureTable:
    """The table, and behind it the unlabelled scans that got a label."""
    scores, share = None, SHARE
    if settings.semi_supervised == "pseudo":
        head = fit_head(table, settings, n_scans=n_scans, seed=seed, unlabelled=others)
        scores = head.scores(others.embeddings)
        scores = scores_by_class(scores) if settings.ordered else scores
    if settings.classifier == "gaussian-process":
        share = min(share, max(0, MOST_ROWS - len(table)) / len(others))
    known = table.take(np.arange(n_scans))
    return FeatureTable.joined([table, guess(known, others, scores, share)])


def score_scans(head: Head, scans: LabelledScans, extract: Extract, *, flip: bool) -> Floats:
    """Scores (M, Q) of the cases, where `flip` averaged over mirror images."""
    return Viewed.of(scans, extract, flip=flip).scores(head)


def score_pixels(head: Head, pixels: Floats, extract: Extract, *, flip: bool) -> Floats:
    """Scores (N, Q) of pixels (N, C, *spatial)."""
    return score_views(head, views_of(pixels, extract, flip=flip))
