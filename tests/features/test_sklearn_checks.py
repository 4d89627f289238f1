"""scikit-learn's own checks of an estimator, on tables whose rows are scans."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from latentdx.features.arrays import ArrayError, as_images, folded
from latentdx.features.transformer import AutoencoderFeatures, seed_of


def test_every_check_of_scikit_learn_passes() -> None:
    model = AutoencoderFeatures(autoencoder="convolutional", epochs=1, shape="square")
    found = check_estimator(model, on_skip=None)
    skipped = {told["check_name"] for told in found if told["status"] == "skipped"}
    passed = [told for told in found if told["status"] == "passed"]
    # the array API is another library's arrays; frames need a package that is no requirement
    assert skipped <= {"check_array_api_input", "check_n_features_in_after_fitting"}
    assert len(passed) >= 45


def test_a_row_and_its_image_are_the_same_scan() -> None:
    images = np.random.default_rng(0).random((12, 9, 11)).astype(np.float32)
    model = AutoencoderFeatures(autoencoder="convolutional", epochs=1, shape=(9, 11))
    rows = model.fit(images.reshape(12, 99)).transform(images.reshape(12, 99))
    assert model.n_features_in_ == 99
    np.testing.assert_array_equal(rows, model.transform(images))
    np.testing.assert_array_equal(rows, clone(model).fit(images).transform(images))
    assert clone(model).fit(images[:, None]).n_features_in_ == 99
    with pytest.raises(ValueError, match="X has 98 features"):
        model.transform(np.zeros((3, 98)))


def test_squares_are_filled_up_and_other_shapes_must_fit() -> None:
    table = np.arange(2 * 70).reshape(2, 70)
    square = folded(table, "square")
    assert square.shape == (2, 9, 9)
    np.testing.assert_array_equal(square.reshape(2, 81)[:, :70], table)
    assert not square.reshape(2, 81)[:, 70:].any()
    assert folded(np.ones((4, 1)), "square").shape == (4, 8, 8)
    for shape in ((8, 8), (70,), (1, 1, 1, 7, 10)):
        with pytest.raises(ArrayError) as caught:
            folded(table, shape)
        assert caught.value.code == "E_SHAPE"


def test_without_a_shape_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="E_SHAPE"):
        AutoencoderFeatures().fit(np.zeros((20, 64)))


def test_a_latent_is_decoded_and_pooled_features_cannot_be() -> None:
    images = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    model = AutoencoderFeatures(autoencoder="convolutional", epochs=1, features="latent")
    latent = model.fit(images).transform(images)
    rebuilt = model.inverse_transform(latent)
    np.testing.assert_allclose(rebuilt, model.reconstruct(images), atol=1e-5)
    with pytest.raises(ArrayError):
        model.inverse_transform(latent[:, 1:])
    assert not hasattr(AutoencoderFeatures(features="pooled"), "inverse_transform")


def test_a_generator_of_numpy_is_a_random_state() -> None:
    assert seed_of(np.int64(5)) == 5
    drawn = [seed_of(np.random.RandomState(number)) for number in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    images = as_images(np.random.default_rng(0).random((12, 8, 8)))
    model = AutoencoderFeatures(autoencoder="convolutional", epochs=1)
    first, second = (
        clone(model).set_params(random_state=np.random.RandomState(0)).fit(images).transform(images)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
