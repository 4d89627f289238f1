"""The classifier of scans in scikit-learn's hands: its checks, patients, frozen encoders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.utils.estimator_checks import check_estimator

from latentdx.diagnosis import estimator
from latentdx.diagnosis.estimator import LatentClassifier
from latentdx.features.arrays import ArrayError
from latentdx.features.transformer import AutoencoderFeatures

Pixels = NDArray[np.float32]

LABELS = np.where(np.arange(60) % 3 == 0, "lesion", "clear")
PATIENTS = np.arange(60) // 2

SQUARES = AutoencoderFeatures(autoencoder="convolutional", epochs=1, shape="square")
SMALL = AutoencoderFeatures(autoencoder="convolutional", epochs=1)

NOT_OURS = {
    "check_classifiers_train": (
        "decisions hold classes for equally likely, the largest probability does not"
    ),
    "check_fit2d_1feature": "of ten scans too few are left beside those that calibrate",
    "check_methods_subset_invariance": "a network's sums round by the batch, to 1e-6",
}


@pytest.fixture(scope="module")
def images() -> Pixels:
    """(60, 16, 16) of noise; every third has a bright square somewhere."""
    generator = np.random.default_rng(0)
    found = generator.random((60, 16, 16)).astype(np.float32) / 2
    for row in np.flatnonzero(LABELS == "lesion"):
        top, left = generator.integers(0, 9, 2)
        found[row, top : top + 7, left : left + 7] += 0.5
    return found


@pytest.fixture(scope="module")
def fitted(images: Pixels) -> LatentClassifier:
    return LatentClassifier(SMALL, rows=0).fit(images, LABELS, groups=PATIENTS)


def test_the_checks_of_scikit_learn_pass_but_for_those_listed() -> None:
    model = LatentClassifier(SQUARES, classifier="logistic", rows=0)
    found = check_estimator(model, expected_failed_checks=NOT_OURS, on_skip=None)
    assert {told["check_name"] for told in found if told["status"] == "xfail"} == set(NOT_OURS)
    assert sum(told["status"] == "passed" for told in found) >= 45


def test_batches_change_an_answer_by_rounding_alone(
    images: Pixels, fitted: LatentClassifier
) -> None:
    whole = fitted.predict_proba(images)
    np.testing.assert_allclose(fitted.predict_proba(images[::-1])[::-1], whole, atol=1e-5)
    alone = np.concatenate([fitted.predict_proba(image[None]) for image in images])
    np.testing.assert_allclose(alone, whole, atol=1e-5)


def test_scores_probabilities_and_decisions_are_those_of_the_head(
    images: Pixels, fitted: LatentClassifier
) -> None:
    assert fitted.classes_.tolist() == ["clear", "lesion"]
    scores, table = fitted.decision_function(images), fitted.predict_proba(images)
    assert scores.shape == (60,)
    assert roc_auc_score(LABELS == "lesion", scores) > 0.9
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert (np.diff(table[np.argsort(scores), 1]) >= 0).all()
    np.testing.assert_array_equal(fitted.predict(images) == "lesion", scores >= 0)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(images)


def test_what_calibrates_is_of_other_patients(
    images: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    real = estimator.train_head

    def noted(*told: Any, **more: Any) -> Any:
        given.extend(told[:2])
        return real(*told, **more)

    monkeypatch.setattr(estimator, "train_head", noted)
    LatentClassifier(SMALL, rows=0).fit(images, LABELS, groups=PATIENTS)
    learn, apart = given
    assert len(learn) + len(apart) == 60
    assert len(set(apart.labels.tolist())) == 2
    assert not set(learn.patients.tolist()) & set(apart.patients.tolist())
    assert not np.isin(apart.pixels.sum((1, 2, 3)), learn.pixels.sum((1, 2, 3))).any()


def test_a_search_keeps_patients_apart_outside_and_within(images: Pixels) -> None:
    with config_context(enable_metadata_routing=True):
        model = LatentClassifier(SMALL, rows=0).set_fit_request(groups=True)
        grid = {"features__features": ["pooled", "latent"], "classifier": ["prototypes"]}
        search = GridSearchCV(model, grid, cv=GroupKFold(2), error_score="raise")
        search.fit(images, LABELS, groups=PATIENTS)
    assert search.best_params_["features__features"] == "pooled"
    assert search.predict(images).shape == (60,)


def test_answers_by_cross_validation_are_of_scans_not_seen(images: Pixels) -> None:
    found = cross_val_predict(
        LatentClassifier(SMALL, rows=0),
        images,
        LABELS,
        groups=PATIENTS,
        cv=GroupKFold(3),
        params={"groups": PATIENTS},
        method="predict_proba",
    )
    assert found.shape == (60, 2)
    assert roc_auc_score(LABELS == "lesion", found[:, 1]) > 0.8


def test_an_encoder_that_learned_already_is_kept(images: Pixels) -> None:
    encoder = clone(SMALL).fit(images)
    before = encoder.transform(images)
    model = LatentClassifier(FrozenEstimator(encoder), rows=0)
    model.fit(images[:40], LABELS[:40], groups=PATIENTS[:40])
    assert model.features_.network_ is encoder.network_
    np.testing.assert_array_equal(encoder.transform(images), before)
    assert roc_auc_score(LABELS[40:] == "lesion", model.decision_function(images[40:])) > 0.8


def test_a_classifier_of_scikit_learn_and_three_classes_do(images: Pixels) -> None:
    labels = np.arange(60) % 3 + 5
    model = LatentClassifier(SMALL, classifier=LogisticRegression(), rows=0, flip=False)
    assert model.get_params()["classifier__C"] == 1.0
    model.fit(images, labels)
    assert model.decision_function(images).shape == (60, 3)
    assert set(model.predict(images).tolist()) <= {5, 6, 7}


def test_what_cannot_be_learned_from_is_refused(images: Pixels) -> None:
    model = LatentClassifier(SMALL, rows=0)

    def code(labels: Any, groups: Any = None) -> str:
        with pytest.raises(ArrayError) as caught:
            clone(model).fit(images, labels, groups=groups)
        return caught.value.code

    assert code(np.zeros(60, int)) == "E_ONE_CLASS"
    assert code(LABELS[:-1]) == "E_SHAPE"
    assert code(LABELS, np.arange(60) % 3) == "E_TOO_FEW"
