"""A head that reads covariates beside the features: they count, and the picture still does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diagnosis_blobs import disc_scans
from sklearn.metrics import roc_auc_score

from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.head import HeadSettings, score_scans, train_head
from latentdx.features.pixels import flat_pixels
from latentdx.features.table import augmented, extract_table, put_beside

SETTINGS = HeadSettings(rows=200, components=40)


def with_beside(scans: LabelledScans, beside: np.ndarray) -> LabelledScans:
    return replace(scans, beside=beside.reshape(len(scans), -1).astype(np.float32))


def told_by_covariate(count: int, seed: int) -> LabelledScans:
    """Noise, and a number beside it that tells the label with some error."""
    scans = disc_scans(count, seed=seed)
    generator = np.random.default_rng(seed)
    noise = generator.random(scans.pixels.shape).astype(np.float32)
    beside = 2 * scans.labels - 1 + generator.normal(size=count)
    return with_beside(replace(scans, pixels=noise), beside / beside.std())


@pytest.mark.parametrize("name", ["svm", "logistic", "prototypes", "knn", "gaussian-process"])
def test_one_number_is_not_lost_among_the_components(name: str) -> None:
    train, calibrate, new = (told_by_covariate(count, count) for count in (80, 40, 200))
    settings = replace(SETTINGS, classifier=name)
    blind = [replace(scans, beside=None) for scans in (train, calibrate, new)]
    head = train_head(train, calibrate, flat_pixels, settings, seed=0)
    without = train_head(*blind[:2], flat_pixels, settings, seed=0)
    best = roc_auc_score(new.labels, new.beside[:, 0])
    found = roc_auc_score(new.labels, score_scans(head, new, flat_pixels, flip=True)[:, 0])
    lost = roc_auc_score(new.labels, score_scans(without, blind[2], flat_pixels, flip=True)[:, 0])
    assert best > 0.85
    assert found > best - 0.12
    assert lost < 0.65


def test_numbers_that_say_nothing_leave_the_picture_its_say() -> None:
    def noisy(count: int) -> LabelledScans:
        scans = disc_scans(count, seed=count)
        return with_beside(scans, np.random.default_rng(count).normal(size=(count, 3)))

    train, calibrate, new = noisy(100), noisy(40), noisy(120)
    head = train_head(train, calibrate, sorted_values, SETTINGS, seed=0)
    scores = score_scans(head, new, sorted_values, flip=True)[:, 0]
    assert roc_auc_score(new.labels, scores) > 0.8


def sorted_values(pixels: np.ndarray) -> np.ndarray:
    return np.sort(pixels.reshape(len(pixels), -1), axis=1)[:, -40:].astype(np.float32)


def test_the_picture_is_reduced_as_without_them_and_they_are_handed_through() -> None:
    train, calibrate = disc_scans(60, seed=1), disc_scans(30, seed=2)
    plain = train_head(train, calibrate, flat_pixels, SETTINGS, seed=0)
    beside = np.random.default_rng(0).normal(size=(60, 2))
    head = train_head(
        with_beside(train, beside), with_beside(calibrate, beside[:30]), flat_pixels, SETTINGS,
        seed=0,
    )  # fmt: skip
    features = flat_pixels(train.pixels)
    found = head.reduced(put_beside(features, beside.astype(np.float32)))
    width = plain.reduced(features).shape[1]
    np.testing.assert_allclose(found[:, :width], plain.reduced(features), atol=1e-5)
    shares = (found[:, width:] / beside) ** 2 / width
    assert found.shape[1] == width + 2
    assert np.ptp(shares) < 1e-5
    assert shares.mean() == pytest.approx(
        min(SETTINGS.weights, key=lambda w: abs(w - shares[0, 0]))
    )


def test_a_weight_is_chosen_by_what_it_predicts() -> None:
    train, calibrate = told_by_covariate(120, 5), told_by_covariate(40, 6)
    settings = replace(SETTINGS, weights=(1e-9, 1.0))
    head = train_head(train, calibrate, flat_pixels, settings, seed=0)
    assert head.components.axes[-1, -1] > 1
    noise = np.random.default_rng(3).normal(size=120)
    head = train_head(
        with_beside(disc_scans(120, seed=1), noise), with_beside(calibrate, noise[:40]),
        sorted_values, settings, seed=0,
    )  # fmt: skip
    assert head.components.axes[-1, -1] < 1e-2


def test_copies_and_mirror_images_keep_what_stands_beside_them() -> None:
    scans = with_beside(disc_scans(6, seed=0), np.arange(6))
    for copy in augmented(scans, SETTINGS.augmentation(), n_copies=2, seed=0):
        table = extract_table(copy, flat_pixels, extractor_hash="")
        assert table.n_beside == 1
        assert table.embeddings[:, -1].tolist() == [0, 1, 2, 3, 4, 5]
        assert table.image().embeddings.shape[1] == table.embeddings.shape[1] - 1
        assert table.take(np.array([4, 1])).embeddings[:, -1].tolist() == [4, 1]
    assert scans.take(np.array([5, 2])).beside.ravel().tolist() == [5, 2]
