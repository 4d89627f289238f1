"""`LatentClassifier`: encoder and calibrated head as a scikit-learn classifier of scans."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from latentdx.collection.labelled import LabelledScans
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.calibrations import CalibrationChoice
from latentdx.diagnosis.folds import patient_folds
from latentdx.diagnosis.head import HeadSettings, score_pixels, train_head
from latentdx.diagnosis.own_classifier import Classifier
from latentdx.features.arrays import ArrayError, Shape, scans_of
from latentdx.features.transformer import AutoencoderFeatures, seed_of

Pixels = NDArray[np.float32]
Ints = NDArray[np.int64]

_PARTS = 5  # one of them calibrates


class LatentClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learn an encoder and a classifier from labelled scans, and probabilities on patients apart.

    Of five parts of the patients one calibrates; encoder and classifier learn from the others.

    Parameters
    ----------
    features: an `AutoencoderFeatures`, None for the default one. One that was fitted already, on
        many scans without labels, is kept as it is inside scikit-learn's `FrozenEstimator`.
    classifier, flip, calibration, rows: see `HeadSettings`. Copies of scans are augmented.
    random_state: seed of the parts, the copies and the classifier; of the encoder's training
        `features` has one of its own.

    Attributes
    ----------
    classes_: of the labels, in their order; of two, the second is the positive one.
    features_: the fitted features; head_: the fitted `Head`; n_features_in_: values of a scan.

    Scans are given as to `AutoencoderFeatures`: arrays, or tables where its `shape` is set.
    Of two classes decisions hold both for equally likely (`predict` is the sign of
    `decision_function`), while probabilities are those of the labels given: where a class is rare,
    it can be decided below a half.

    Examples
    --------
    >>> images = np.random.default_rng(0).random((40, 16, 16)).astype(np.float32)
    >>> images[::2] **= 3
    >>> labels, patients = np.array(["dark", "light"] * 20), np.arange(40) // 4
    >>> model = LatentClassifier(AutoencoderFeatures(epochs=1), rows=0)
    >>> model.fit(images, labels, groups=patients).predict(images[:2]).tolist()
    ['dark', 'light']
    >>> model.predict_proba(images).shape
    (40, 2)
    """

    def __init__(
        self,
        features: Any = None,
        *,
        classifier: Classifier = "svm",
        flip: bool = True,
        calibration: CalibrationChoice = "sigmoid",
        rows: int = 14_000,
        random_state: Any = 0,
    ) -> None:
        self.features = features
        self.classifier = classifier
        self.flip = flip
        self.calibration = calibration
        self.rows = rows
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from scans X and labels y (N,); `groups` (N,) are their patients.

        Without `groups` every scan is a patient of its own; where that is not so, probabilities
        are too sure. Raises `ArrayError` ``E_ONE_CLASS``, ``E_TOO_FEW``, ``E_SHAPE``, ``E_NAN``.
        """
        pixels = scans_of(self, X, self._shape(), first=True)
        scans = _scans(pixels, self._labels(y, len(pixels)), groups, self.classes_)
        seed = seed_of(self.random_state)
        learn, apart = _parts(scans, seed)
        base = AutoencoderFeatures() if self.features is None else self.features
        self.features_ = clone(base).fit(learn.pixels, learn.labels)
        self.head_ = train_head(
            learn, apart, self._embed, self._settings(), seed=derive_seed(seed, "head")
        )
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """(N,) for two classes: the score, from 0 on the second is decided.

        Of more classes (N, K): the logarithms of their probabilities; the largest is decided.
        """
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return scores[:, 0].astype(np.float64)
        found: NDArray[np.float64] = np.log(np.maximum(self.head_.probabilities(scores), 1e-300))
        return found

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities (N, K) of `classes_`."""
        scores = self._scores(X)
        found: NDArray[np.float64] = self.head_.probabilities(scores)
        return found

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The decided class of each scan (N,)."""
        probabilities = self.predict_proba(X)
        found: NDArray[Any] = self.classes_[self.head_.decide(probabilities)]
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self._shape() is not None
        tags.input_tags.three_d_array = True
        tags.classifier_tags.poor_score = True  # on tables of two numbers, which are no scans
        return tags

    def _shape(self) -> Shape:
        found: Shape = getattr(self.features, "shape", None)
        return found

    def _settings(self) -> HeadSettings:
        return HeadSettings(
            classifier=self.classifier,
            flip=self.flip,
            calibration=self.calibration,
            rows=self.rows,
        )

    def _labels(self, y: ArrayLike | None, n_scans: int) -> Ints:
        """Labels as numbers (N,) of `classes_`, which it sets."""
        if y is None:
            found = "LatentClassifier requires y to be passed, but the target y is None"
            raise ArrayError("E_ONE_CLASS", found, fix="give a label for each scan")
        told = column_or_1d(check_array(y, ensure_2d=False, dtype=None), warn=True)
        check_classification_targets(told)
        if len(told) != n_scans:
            found = f"{n_scans} scans and {len(told)} labels"
            raise ArrayError("E_SHAPE", found, fix="give a label for each scan")
        self.classes_, labels = np.unique(told, return_inverse=True)
        if len(self.classes_) < 2:
            found = "the labels are of one class"
            raise ArrayError("E_ONE_CLASS", found, fix="add labelled scans of another")
        return labels.astype(np.int64)

    def _embed(self, pixels: Pixels) -> NDArray[np.float32]:
        return np.asarray(self.features_.transform(pixels), np.float32)

    def _scores(self, X: ArrayLike) -> NDArray[np.float32]:
        check_is_fitted(self, "head_")
        pixels = scans_of(self, X, self._shape(), first=False)
        return score_pixels(self.head_, pixels, self._embed, flip=self.flip)


def _scans(pixels: Pixels, labels: Ints, groups: ArrayLike | None, names: Ints) -> LabelledScans:
    """Patients by number: what they are called goes nowhere."""
    rows = np.arange(len(pixels))
    told = rows if groups is None else np.asarray(groups)
    check_consistent_length(pixels, told)
    patients = np.unique(told, return_inverse=True)[1].astype(str)
    classes = tuple(str(name) for name in names.tolist())
    parts = np.full(len(rows), "train")
    return LabelledScans(pixels, labels, patients, rows.astype(str), parts, classes, "")


def _parts(scans: LabelledScans, seed: int) -> tuple[LabelledScans, LabelledScans]:
    """What is learned from, and what calibrates: of other patients, with every class if it can."""
    groups = np.unique(scans.patients, return_inverse=True)[1]
    folds = patient_folds(scans.labels, groups, _PARTS, seed=derive_seed(seed, "calibrate"))
    if not folds:
        found = "a class has fewer than two patients"
        raise ArrayError("E_TOO_FEW", found, fix="add labelled scans")
    wanted = len(scans.classes)
    whole = [fold for fold in folds if len(np.unique(scans.labels[fold[1]])) == wanted]
    learn, apart = (whole or folds)[0]
    return scans.take(learn), scans.take(apart)
