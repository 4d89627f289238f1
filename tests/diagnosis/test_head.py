"""The head: every part fitted on its own part, better than chance, decided at its threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from diagnosis_blobs import blobs, disc_scans
from sklearn.metrics import roc_auc_score

from latentdx.collection.augment import GEOMETRIC
from latentdx.core.errors import StopError
from latentdx.diagnosis.classifiers import CHOICES
from latentdx.diagnosis.head import HeadSettings, fit_head, score_pixels, score_scans, train_head
from latentdx.diagnosis.machines import ClassifierName
from latentdx.features.pixels import flat_pixels
from latentdx.features.table import FeatureTable

SLOW = {"boosting", "forest", "mlp", "stacking"}
every_machine = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in get_args(ClassifierName)
    ],
)
QUICK = HeadSettings(rows=200, components=4)


def sorted_values(pixels: np.ndarray) -> np.ndarray:
    """Features that can tell a disc: each scan's brightest pixels, in order."""
    return np.sort(pixels.reshape(len(pixels), -1), axis=1)[:, -40:].astype(np.float32)


def a_table(count: int = 60, n_classes: int = 2) -> FeatureTable:
    features, labels = blobs(count, n_classes=n_classes)
    names = np.array([f"P{row}" for row in range(count)])
    classes = tuple(f"class {k}" for k in range(n_classes))
    return FeatureTable(features, labels, names, names, names, classes, "", "")


@every_machine
def test_a_trained_head_beats_chance_on_new_patients(name: ClassifierName) -> None:
    train, calibrate, new = (disc_scans(count, seed=count) for count in (80, 40, 100))
    head = train_head(train, calibrate, sorted_values, replace(QUICK, classifier=name), seed=0)
    scores = score_scans(head, new, sorted_values, flip=True)
    probabilities = head.probabilities(scores)
    assert head.strength in CHOICES[name]
    assert roc_auc_score(new.labels, scores[:, 0]) > 0.8
    assert (head.decide(probabilities) == new.labels).mean() > 0.7
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_training_is_reproducible_and_depends_on_the_seed() -> None:
    train, calibrate, new = (disc_scans(count, seed=count) for count in (40, 20, 10))

    def scores(seed: int) -> np.ndarray:
        head = train_head(train, calibrate, flat_pixels, QUICK, seed=seed)
        return score_pixels(head, new.pixels, flat_pixels, flip=False)

    first = scores(0)
    np.testing.assert_array_equal(scores(0), first)
    assert np.abs(scores(1) - first).max() > 1e-3


def test_the_calibrate_part_changes_probabilities_and_nothing_else() -> None:
    train, calibrate = disc_scans(60, seed=1), disc_scans(30, seed=2)
    other = replace(calibrate, labels=1 - calibrate.labels)
    heads = [train_head(train, part, sorted_values, QUICK, seed=0) for part in (calibrate, other)]
    new = sorted_values(disc_scans(20, seed=3).pixels)
    np.testing.assert_array_equal(heads[0].scores(new), heads[1].scores(new))
    tables = [head.probabilities(head.scores(new)) for head in heads]
    assert np.abs(tables[0] - tables[1]).max() > 0.05


def test_the_decision_is_at_score_zero_whatever_the_calibration() -> None:
    head = fit_head(a_table(), HeadSettings(components=6), n_scans=60, seed=0)
    assert head.threshold is None
    scores = np.linspace(-1, 1, 41, dtype=np.float32)[:, None]
    labels = (np.arange(41) > 33).astype(np.int64)
    found = head.calibrated(scores, labels)
    assert found.threshold is not None
    assert found.threshold < 0.4
    expected = (scores[:, 0] >= 0).astype(int)
    np.testing.assert_array_equal(found.decide(found.probabilities(scores)), expected)


def test_the_threshold_decides_and_equality_is_positive() -> None:
    head = replace(fit_head(a_table(), HeadSettings(components=6), n_scans=60, seed=0))
    table = np.array([[0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.1, 0.9]])
    assert replace(head, threshold=0.3).decide(table).tolist() == [0, 1, 1, 1]
    assert replace(head, threshold=0.95).decide(table).tolist() == [0, 0, 0, 0]
    assert replace(head, threshold=None).decide(table).tolist() == [0, 0, 0, 1]


def test_of_several_classes_the_likeliest_is_decided() -> None:
    table = a_table(90, n_classes=3)
    head = fit_head(table, HeadSettings(components=6), n_scans=90, seed=0)
    head = head.calibrated(head.scores(table.embeddings), table.labels)
    assert head.threshold is None
    probabilities = head.probabilities(head.scores(table.embeddings))
    assert probabilities.shape == (90, 3)
    decided = head.decide(probabilities)
    np.testing.assert_array_equal(decided, probabilities.argmax(axis=1))
    assert (decided == table.labels).mean() > 0.8


@pytest.mark.parametrize("which", [0, 1])
def test_labels_of_one_class_are_refused_by_name(which: int) -> None:
    table = a_table()
    table = replace(table, labels=np.full(60, which))
    with pytest.raises(StopError) as caught:
        fit_head(table, HeadSettings(components=6), n_scans=60, seed=0, unlabelled=a_table(20))
    assert caught.value.code == "E_ONE_CLASS"


def test_probabilities_before_calibration_are_refused() -> None:
    head = fit_head(a_table(), HeadSettings(components=6), n_scans=60, seed=0)
    with pytest.raises(AssertionError, match="calibrate first"):
        head.probabilities(np.zeros((1, 1), np.float32))


def test_features_are_scaled_by_the_scans_without_their_copies() -> None:
    table = a_table(60)
    strange = replace(table, embeddings=table.embeddings * 40)
    names = ("embeddings", "labels", "patients", "scan_ids", "parts")
    joined = {n: np.concatenate([getattr(table, n), getattr(strange, n)]) for n in names}
    settings = HeadSettings(components=6, whitenings=(1.0,))
    head = fit_head(replace(table, **joined), settings, n_scans=60, seed=0)
    whitened = head.reduced(table.embeddings)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(6), atol=1e-2)


def test_features_are_scaled_by_unlabelled_scans_too() -> None:
    table, others = a_table(60), a_table(300)
    wide = replace(others, embeddings=others.embeddings * 10, labels=np.full(300, -1))
    settings = HeadSettings(components=6, whitenings=(1.0,))
    alone = fit_head(table, settings, n_scans=60, seed=0)
    helped = fit_head(table, settings, n_scans=60, seed=0, unlabelled=wide)
    assert (helped.standardiser.scale > 5 * alone.standardiser.scale).all()


def test_the_form_of_features_is_chosen_by_what_it_predicts() -> None:
    # the label lies in the weakest of many directions: whitening brings it up
    generator = np.random.default_rng(0)
    labels = np.arange(200) % 2
    features = generator.normal(size=(200, 12)).astype(np.float32)
    features[:, :11] = features[:, :1] + 0.3 * features[:, :11]
    features[:, 11] = features[:, 0] + 0.05 * (2 * labels - 1)
    table = replace(a_table(200), embeddings=features, labels=labels)
    chosen = fit_head(table, HeadSettings(components=12), n_scans=200, seed=0)
    deviations = chosen.reduced(features).std(axis=0)
    assert deviations.max() < 1.5 * deviations.min()
    few = fit_head(table.take(np.arange(40)), HeadSettings(components=12), n_scans=40, seed=0)
    assert few.reduced(features).std(axis=0).max() > 2 * deviations.max()


@pytest.mark.parametrize(
    ("n_scans", "copies"), [(0, 8), (100, 8), (1556, 7), (2000, 6), (10_000, 2), (10**6, 2)]
)
def test_copies_fill_up_to_the_rows_asked_for(n_scans: int, copies: int) -> None:
    assert HeadSettings().n_copies(n_scans) == copies


def test_bounds_of_copies_are_settings() -> None:
    settings = HeadSettings(rows=100, fewest_copies=0, most_copies=3)
    assert [settings.n_copies(n) for n in (1, 40, 100, 1000)] == [3, 1, 0, 0]


def test_without_flips_neither_copies_nor_scores_are_mirrored() -> None:
    assert HeadSettings(flip=False).augmentation() == replace(GEOMETRIC, flip=0.0)
    assert HeadSettings().augmentation().flip == 0.5
    head = fit_head(a_table(), HeadSettings(components=6), n_scans=60, seed=0)
    pixels = np.random.default_rng(0).random((5, 1, 2, 3)).astype(np.float32)
    mirrored = np.ascontiguousarray(pixels[..., ::-1])
    plain = score_pixels(head, pixels, flat_pixels, flip=False)
    assert np.abs(plain - score_pixels(head, mirrored, flat_pixels, flip=False)).max() > 1e-3
    both = score_pixels(head, pixels, flat_pixels, flip=True)
    np.testing.assert_allclose(
        both, score_pixels(head, mirrored, flat_pixels, flip=True), atol=1e-6
    )
    np.testing.assert_allclose(
        both, (plain + score_pixels(head, mirrored, flat_pixels, flip=False)) / 2, atol=1e-6
    )


def test_a_gaussian_process_has_as_many_copies_as_it_can_take() -> None:
    settings = HeadSettings(classifier="gaussian-process")
    assert [settings.n_copies(n) for n in (20, 300, 600, 1000)] == [8, 2, 0, 0]
    assert all(n * (settings.n_copies(n) + 1) <= 1000 for n in range(1, 1001))
