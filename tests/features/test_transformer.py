"""The autoencoder inside scikit-learn's contract: clone, pipelines, grids, groups, frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from latentdx.core.errors import StopError
from latentdx.features.arrays import as_images
from latentdx.features.transformer import AutoencoderFeatures

Pixels = NDArray[np.float32]

LABELS = np.arange(48) % 2
SMALL: dict[str, Any] = {"autoencoder": "convolutional", "epochs": 1}


@pytest.fixture(scope="module")
def images() -> Pixels:
    """(48, 16, 16): class 0 has stripes, class 1 has a blob; neither lies at one place."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:16, :16]
    phase = generator.uniform(0, 6, (48, 1, 1))
    stripes = 0.5 + 0.4 * np.sin(1.5 * x + phase)
    blob = np.exp(-((y - 5 - phase) ** 2 + (x - 5 - phase) ** 2) / 8)
    return np.where(LABELS[:, None, None], blob, stripes).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(images: Pixels) -> AutoencoderFeatures:
    return AutoencoderFeatures(**SMALL).fit(images)


def test_a_clone_has_the_parameters_and_nothing_learnt(fitted: AutoencoderFeatures) -> None:
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert fitted.get_params() == {
        "autoencoder": "convolutional",
        "latent_dim": None,
        "features": "fine-grid",
        "epochs": 1,
        "random_state": 0,
        "shape": None,
    }
    with pytest.raises(NotFittedError):
        copy.transform(np.zeros((1, 16, 16)))
    assert copy.set_params(features="latent").features == "latent"


def test_the_constructor_keeps_what_it_is_given_and_checks_nothing() -> None:
    assert AutoencoderFeatures(autoencoder="no such", latent_dim=-1).autoencoder == "no such"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "width"),
    [
        ({"autoencoder": "convolutional"}, 9 * (32 + 64 + 128) + 25 * (32 + 64)),
        ({"autoencoder": "convolutional", "features": "latent", "latent_dim": 5}, 5),
        ({"autoencoder": "invariant"}, 9 * (48 + 96 + 192) + 25 * (48 + 96)),
        ({"autoencoder": "invariant", "features": "pooled"}, 2 * (48 + 96 + 192)),
        ({"autoencoder": "invariant", "features": "latent", "latent_dim": 3}, 3 * 2 * 2),
    ],
)
def test_features_have_the_width_told(settings: Any, width: int, images: Pixels) -> None:
    model = AutoencoderFeatures(epochs=1, **settings)
    found = model.fit(images).transform(images[:5])
    assert found.shape == (5, width)
    assert model.n_features_out_ == width
    assert len(set(model.get_feature_names_out())) == width


def test_one_seed_gives_one_result_and_another_another(
    images: Pixels, fitted: AutoencoderFeatures
) -> None:
    found = fitted.transform(images)
    np.testing.assert_array_equal(clone(fitted).fit(images).transform(images), found)
    other = clone(fitted).set_params(random_state=1).fit(images).transform(images)
    assert np.abs(other - found).max() > 1e-3


def test_weights_and_training_are_both_of_the_random_state(
    images: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentdx.features import transformer

    seeds: list[int] = []
    for name in ("network_for", "pretrain"):
        real = getattr(transformer, name)

        def noted(*given: Any, seed: int, real: Any = real) -> Any:
            seeds.append(seed)
            return real(*given, seed=seed)

        monkeypatch.setattr(transformer, name, noted)
    AutoencoderFeatures(random_state=7, **SMALL).fit(images)
    assert seeds == [7, 7]


def test_labels_are_not_looked_at(images: Pixels, fitted: AutoencoderFeatures) -> None:
    found = clone(fitted).fit(images, LABELS).transform(images)
    np.testing.assert_array_equal(found, fitted.transform(images))


def test_a_pipeline_with_a_classifier_learns_and_predicts(images: Pixels) -> None:
    model = make_pipeline(AutoencoderFeatures(**SMALL), StandardScaler(), SVC())
    model.fit(images[:32], LABELS[:32])
    assert model.score(images[32:], LABELS[32:]) > 0.8


def test_a_grid_search_keeps_groups_apart_and_reaches_the_autoencoder(images: Pixels) -> None:
    groups = np.arange(48) // 4
    seen: list[tuple[set[int], set[int]]] = []

    class Watched(GroupKFold):
        def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
            for train, test in super().split(X, y, groups):
                seen.append((set(groups[train]), set(groups[test])))
                yield train, test

    model = make_pipeline(AutoencoderFeatures(**SMALL), SVC())
    grid = {"autoencoderfeatures__features": ["pooled", "latent"], "svc__C": [1.0]}
    search = GridSearchCV(model, grid, cv=Watched(3), error_score="raise")
    search.fit(images, LABELS, groups=groups)
    assert len(seen) == 3
    assert not any(train & test for train, test in seen)
    assert search.best_score_ > 0.5
    assert search.predict(images).shape == (48,)


def test_frames_are_given_where_asked_for(images: Pixels, fitted: AutoencoderFeatures) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    model = clone(fitted).set_output(transform="pandas")
    frame = model.fit_transform(images)
    assert isinstance(frame, pandas.DataFrame)
    assert frame.shape == (48, 448)
    assert list(frame.columns[:2]) == ["autoencoderfeatures0", "autoencoderfeatures1"]
    np.testing.assert_array_equal(frame.to_numpy(), fitted.transform(images))


def test_bytes_and_a_channel_axis_mean_the_same(
    images: Pixels, fitted: AutoencoderFeatures
) -> None:
    as_bytes = np.round(images * 255).astype(np.uint8)
    found = fitted.transform(as_bytes)
    np.testing.assert_array_equal(found, fitted.transform(as_bytes[:, None]))
    np.testing.assert_allclose(found, fitted.transform(as_bytes / 255), atol=1e-5)
    rebuilt = fitted.reconstruct(images)
    assert rebuilt.shape == (48, 1, 16, 16)
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(StopError) as caught:
        call(*arguments)
    return caught.value.code


@pytest.mark.parametrize(
    "shape",
    [(16,), (4, 256), (4, 16, 7), (4, 16, 16, 3), (4, 1, 1, 16, 16), (0, 16, 16), (4, 0, 16, 16)],
)
def test_arrays_that_are_neither_images_nor_volumes_are_refused(
    shape: tuple[int, ...], fitted: AutoencoderFeatures
) -> None:
    assert code_of(as_images, np.zeros(shape)) == "E_SHAPE"
    assert code_of(AutoencoderFeatures().fit, np.zeros(shape)) == "E_SHAPE"
    assert code_of(fitted.transform, np.zeros(shape)) == "E_SHAPE"


@pytest.mark.parametrize("sides", [(17, 13), (9, 8, 11)], ids=["uneven images", "volumes"])
def test_images_of_any_sides_and_volumes_are_learned_from(sides: tuple[int, ...]) -> None:
    scans = np.random.default_rng(0).random((24, 1, *sides)).astype(np.float32)
    model = AutoencoderFeatures(**SMALL).fit(scans)
    assert model.network_.shape == (1, *sides)
    coarse, fine = (9, 25) if len(sides) == 2 else (8, 27)
    assert model.transform(scans[:3]).shape == (3, coarse * (32 + 64 + 128) + fine * (32 + 64))
    assert model.reconstruct(scans[:3]).shape == (3, 1, *sides)
    assert code_of(model.transform, np.swapaxes(scans, 2, 3)) == "E_SHAPE"


@pytest.mark.parametrize("shape", [(2, 18, 18), (2, 3, 16, 16)])
def test_images_of_another_shape_than_in_training_are_refused(
    shape: tuple[int, ...], fitted: AutoencoderFeatures
) -> None:
    assert code_of(fitted.transform, np.zeros(shape)) == "E_SHAPE"
    assert code_of(fitted.reconstruct, np.zeros(shape)) == "E_SHAPE"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(
    value: float, images: Pixels, fitted: AutoencoderFeatures
) -> None:
    spoilt = images.copy()
    spoilt[7, 3, 3] = value
    assert code_of(AutoencoderFeatures().fit, spoilt) == "E_NAN"
    assert code_of(fitted.transform, spoilt) == "E_NAN"


def test_names_and_counts_that_do_not_do_are_refused(images: Pixels) -> None:
    assert code_of(AutoencoderFeatures(autoencoder="deep").fit, images) == "E_NAME"  # type: ignore[arg-type]
    assert code_of(AutoencoderFeatures().fit, images[:7]) == "E_TOO_FEW"


def test_the_images_given_are_not_changed(images: Pixels) -> None:
    given = images[:, None].copy()
    given.setflags(write=False)
    found = as_images(given)
    assert not np.shares_memory(found, given)
