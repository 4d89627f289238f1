"""Labels for unlabelled scans: where they go, how many, and that they help where they can."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest
from diagnosis_blobs import blobs, disc_scans

from latentdx.diagnosis import semi_supervised
from latentdx.diagnosis.head import HeadSettings, train_head
from latentdx.diagnosis.semi_supervised import guess, spread_labels, surest
from latentdx.features.pixels import flat_pixels
from latentdx.features.table import FeatureTable, extract_table


def table_of(features: np.ndarray, labels: np.ndarray, n_classes: int = 2) -> FeatureTable:
    count = len(labels)
    names = np.arange(count).astype(np.str_)
    parts = np.full(count, "train")
    return FeatureTable(features, labels, names, names, parts, tuple("abc"[:n_classes]), "", "")


@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_spread_to_their_own_blob(n_classes):
    features, truth = blobs(300, n_classes=n_classes, apart=3.0)
    labels = np.where(np.arange(300) < 2 * n_classes, truth, -1)
    found = spread_labels(features, labels, n_classes)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found.sum(axis=0), 300 / n_classes, rtol=0.3)
    assert (found.argmax(axis=1) == truth).mean() > 0.95


def test_it_is_the_closed_form():
    features, truth = blobs(60)
    labels = np.where(np.arange(60) < 6, truth, -1)
    graph = semi_supervised._graph(features).toarray()
    np.testing.assert_allclose(graph, graph.T)
    start = np.eye(2)[np.maximum(labels, 0)] * (labels >= 0)[:, None] / 3
    exact = np.linalg.solve(np.eye(60) - semi_supervised.ALPHA * graph, start)
    exact /= exact.sum(axis=0)
    expected = exact / exact.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(spread_labels(features, labels, 2), expected, atol=1e-4)


def test_scans_that_no_label_reaches_belong_to_all_classes_alike():
    far = np.concatenate([np.zeros((12, 2)), np.full((12, 2), 1e3)]).astype(np.float32)
    far += np.random.default_rng(0).normal(size=far.shape).astype(np.float32)
    labels = np.full(24, -1)
    labels[[0, 1]] = 0, 1
    found = spread_labels(far, labels, 2)
    np.testing.assert_allclose(found[12:], 0.5)
    assert found[[0, 1], [0, 1]].min() > 0.5


def test_each_class_gets_its_share_and_the_surest_first():
    scores = np.random.default_rng(0).uniform(size=(200, 2))
    scores[:, 0] += 0.3  # an easy class
    found = surest(scores, np.array([3, 1]), share=0.4)
    assert np.bincount(found.labels).tolist() == [60, 20]
    assert (found.labels == scores[found.rows].argmax(axis=1)).all()
    left = np.setdiff1d(np.flatnonzero(scores.argmax(axis=1) == 1), found.rows)
    assert scores[left, 1].max() <= scores[found.rows[found.labels == 1], 1].min()
    assert len(surest(scores, np.array([1, 1]), share=0.0).rows) == 0


@pytest.mark.parametrize("way", ["spread", "pseudo"])
def test_guessed_scans_are_unlabelled_ones_with_a_label(way):
    features, truth = blobs(200, apart=3.0)
    known = table_of(features[:20], truth[:20])
    others = table_of(features[20:], np.full(180, -1))
    scores = (features[20:, 1:2] - features[20:, :1]) if way == "pseudo" else None
    found = guess(known, others, scores)
    rows = found.patients.astype(int)
    assert 40 <= len(found) <= 45
    assert (found.labels == truth[20:][rows]).mean() > 0.95
    np.testing.assert_array_equal(found.embeddings, features[20:][rows])


@pytest.mark.parametrize("way", ["spread", "pseudo"])
@pytest.mark.parametrize("classifier", ["svm", "gaussian-process"])
def test_unlabelled_scans_get_labels_only_where_that_is_asked_for(way, classifier):
    train, calibrate = disc_scans(16), disc_scans(16, seed=1, part="calibrate")
    more = replace(disc_scans(60, seed=2, part="pretrain"), labels=np.full(60, -1))
    others = extract_table(more, flat_pixels, extractor_hash="")

    def scores(settings: HeadSettings, unlabelled: FeatureTable | None) -> np.ndarray:
        head = train_head(train, calibrate, flat_pixels, settings, seed=0, unlabelled=unlabelled)
        return head.scores(others.embeddings)

    plain = HeadSettings(classifier, rows=48, components=8)
    asked = replace(plain, semi_supervised=way)
    assert not np.array_equal(scores(plain, others), scores(plain, None))  # scaled by them
    np.testing.assert_array_equal(scores(asked, None), scores(plain, None))
    assert not np.array_equal(scores(asked, others), scores(plain, others))
    np.testing.assert_array_equal(scores(asked, others), scores(asked, others))


def test_the_examples_of_semi_supervision_run():
    found = doctest.testmod(semi_supervised)
    assert found.attempted > 0
    assert found.failed == 0
