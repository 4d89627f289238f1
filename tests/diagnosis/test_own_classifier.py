"""A scikit-learn classifier in a name's place: for study in memory, never in a bundle."""

from __future__ import annotations

import numpy as np
import pytest
from diagnosis_blobs import blobs, disc_scans
from sklearn.dummy import DummyRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from latentdx.core.errors import StopError
from latentdx.diagnosis.classifiers import choose_strength, fit_classifier
from latentdx.diagnosis.head import HeadSettings, score_scans, train_head


def sorted_values(pixels: np.ndarray) -> np.ndarray:
    return np.sort(pixels.reshape(len(pixels), -1), axis=1)[:, -40:].astype(np.float32)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("estimator", [GaussianNB(), SVC(kernel="linear")])
def test_scores_are_the_estimators(estimator, n_classes: int) -> None:
    features, labels = blobs(90, n_classes=n_classes)
    given = {"n_classes": n_classes, "strength": 0.0}
    scores = fit_classifier(estimator, features, labels, **given).scores(features)
    assert scores.shape == (90, 1 if n_classes == 2 else n_classes)
    assert scores.dtype == np.float32
    model = estimator.fit(features, labels)
    decided = (scores[:, 0] >= 0).astype(int) if n_classes == 2 else scores.argmax(axis=1)
    np.testing.assert_array_equal(decided, model.predict(features))


def test_the_given_estimator_is_not_changed() -> None:
    estimator = GaussianNB()
    features, labels = blobs(20)
    fit_classifier(estimator, features, labels, n_classes=2, strength=0.0)
    assert not hasattr(estimator, "theta_")
    assert choose_strength(estimator, features, labels, ["P"] * 20, seed=0) == 0


def test_a_head_of_an_own_classifier_works_in_memory() -> None:
    train, calibrate, new = (disc_scans(count, seed=count) for count in (40, 20, 60))
    settings = HeadSettings(classifier=GaussianNB(), rows=100, components=4)
    head = train_head(train, calibrate, sorted_values, settings, seed=0)
    scores = score_scans(head, new, sorted_values, flip=True)
    assert head.name == "own"
    assert isinstance(head.classifier, GaussianNB)
    assert (head.decide(head.probabilities(scores)) == new.labels).mean() > 0.7


@pytest.mark.parametrize("thing", [DummyRegressor(), 3, SVC])
def test_what_is_no_classifier_is_refused(thing) -> None:
    features, labels = blobs(20)
    with pytest.raises(StopError) as caught:
        fit_classifier(thing, features, labels, n_classes=2, strength=0.0)
    assert caught.value.code == "E_CLASSIFIER"
