"""Laws of the ranking, whatever the strategy: what may be suggested, how often, in what order."""

from __future__ import annotations

import doctest
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from diagnosis_blobs import blobs

from latentdx.diagnosis.softmax import Softmax
from latentdx.diagnosis.suggest import FEWEST, STRATEGIES, rank, scaled
from latentdx.diagnosis.suggest_groups import groups_of, typicality
from latentdx.diagnosis.suggest_pool import Pool


def pool_of(n_labelled: int = 12, *, count: int = 120, n_classes: int = 2, seed: int = 0) -> Pool:
    """Blobs, two scans a patient, of which the first few are labelled and some are closed."""
    features, truth = blobs(count, n_classes=n_classes, seed=seed)
    labels = np.where(np.arange(count) < n_labelled, truth, -1)
    is_open = (labels < 0) & (np.arange(count) % 5 > 0)
    names = tuple("abcdef"[:n_classes])
    return Pool(scaled(features), labels, np.arange(count) // 2, is_open, names)


def rows_of(pool: Pool, n: int = 20, strategy: str = "auto", **options: object) -> list[int]:
    return [item.row for item in rank(pool, n, strategy, **options).suggestions]


every = pytest.mark.parametrize("strategy", STRATEGIES)


@every
@pytest.mark.parametrize("n_labelled", [0, 1, 12, 60])
def test_only_open_scans_of_new_patients_each_once(strategy, n_labelled):
    pool = pool_of(n_labelled)
    rows = rows_of(pool, 20, strategy)
    assert len(rows) == len(set(rows)) == 20
    assert pool.open[rows].all()
    assert len(set(pool.patients[rows])) == 20
    assert not set(pool.patients[rows]) & set(pool.patients[pool.labelled])


@every
def test_the_same_again_and_another_seed_may_differ(strategy):
    pool = pool_of(30)
    first = rank(pool, 10, strategy, seed=3)
    assert rank(pool, 10, strategy, seed=3) == first


def test_lots_differ_between_seeds():
    assert rows_of(pool_of(), 20, "random", seed=1) != rows_of(pool_of(), 20, "random", seed=2)


@every
def test_a_pool_smaller_than_asked_for_is_suggested_whole(strategy):
    pool = pool_of(20)
    patients = set(pool.patients[pool.open]) - set(pool.patients[pool.labelled])
    assert set(pool.patients[rows_of(pool, 1000, strategy)]) == patients
    rows = rows_of(pool, 1000, strategy, by_patient=False)
    assert sorted(rows) == np.flatnonzero(pool.open).tolist()


@every
def test_a_labelled_patient_is_asked_for_where_there_is_no_other(strategy):
    pool = pool_of(20)
    alone = replace(pool, patients=np.zeros(len(pool.labels), np.int64))
    assert len(rows_of(alone, 5, strategy)) == 1


@every
def test_of_copies_one_is_suggested_and_none_of_what_is_labelled(strategy):
    pool = pool_of(12, count=60)
    features = pool.features.copy()
    features[20:60:4] = features[21]  # ten scans alike, of ten patients
    features[22:60:4] = features[0]  # copies of a labelled scan
    pool = replace(pool, features=features, open=pool.labels < 0)
    rows = rows_of(pool, 60, strategy, by_patient=False)
    assert len(set(rows) & {21, *range(20, 60, 4)}) == 1
    assert not set(rows) & set(range(22, 60, 4))


@every
def test_many_classes_and_one_class(strategy):
    assert len(rows_of(pool_of(40, n_classes=5), 10, strategy)) == 10
    pool = pool_of(12)
    one = replace(pool, labels=np.where(pool.labels == 0, 0, -1))
    found = rank(one, 10, strategy)
    assert len(found.suggestions) == 10
    assert found.strategy not in ("uncertainty", "diversity")
    assert all(item.guess == -1 and item.confidence is None for item in found.suggestions)


def test_a_class_without_a_label_is_no_guess():
    pool = replace(pool_of(40), classes=("a", "b", "c"))
    assert all(item.guess in (0, 1) for item in rank(pool, 20, "diversity").suggestions)


def test_auto_is_typical_first_and_then_diverse():
    assert rank(pool_of(0), 5).strategy == "typical"
    assert rank(pool_of(2 * FEWEST - 1), 5).strategy == "typical"
    assert rank(pool_of(2 * FEWEST), 5).strategy == "diversity"


def test_uncertain_scans_lie_between_the_classes_and_typical_ones_within():
    pool = pool_of(60, count=400)
    model = Softmax.fit(pool.features[:60], pool.labels[:60], 2, 1.0)
    confidence = model.probabilities(pool.features).max(axis=1)
    chosen = {name: confidence[rows_of(pool, 10, name)].mean() for name in STRATEGIES}
    assert chosen["uncertainty"] <= chosen["diversity"] < 0.6
    assert chosen["typical"] > 0.7


def test_the_first_typical_scans_come_from_every_blob():
    features, truth = blobs(300, n_classes=5, apart=8.0)
    nobody = np.full(300, -1)
    pool = Pool(scaled(features), nobody, np.arange(300), nobody < 0, ())
    assert set(truth[rows_of(pool, 5, "typical")]) == set(range(5))
    assert set(truth[rows_of(pool, 5, "coverage")]) == set(range(5))


def test_reasons_are_words_that_name_what_was_seen():
    first = rank(pool_of(40), 3, "diversity").suggestions[0]
    assert "hesitates between" in first.why
    assert rank(pool_of(0), 1, "typical").suggestions[0].why.endswith("none labelled")


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_classifier_is_that_of_scikit_learn(n_classes):
    from sklearn.linear_model import LogisticRegression

    features, labels = blobs(60, n_classes=n_classes, apart=0.5)
    labels = np.where(np.arange(60) % 7 == 0, 0, labels)  # classes of unequal size
    ours = Softmax.fit(features, labels, n_classes, 0.5).probabilities(features)
    strength = 1.0 if n_classes == 2 else 0.5
    theirs = LogisticRegression(C=strength, class_weight="balanced", tol=1e-8, max_iter=1000)
    expected = theirs.fit(features, labels).predict_proba(features)
    np.testing.assert_allclose(ours, expected, atol=1e-3)


def test_rows_are_scaled_as_the_classifier_takes_them():
    """Half-whitened: what fills nine times as many columns counts for the root of three."""
    generator = np.random.default_rng(0)
    often, seldom = generator.normal(size=(2, 3000, 1))
    rows = np.concatenate([np.repeat(often, 180, 1), np.repeat(seldom, 20, 1)], axis=1)
    found = scaled((rows + generator.normal(size=rows.shape) * 0.01).astype(np.float32))
    deviations = found.std(axis=0)
    assert len(found) == 3000
    assert deviations[0] / deviations[1] == pytest.approx((180 / 20) ** 0.25, rel=0.05)
    assert np.sqrt((found**2).sum(axis=1).mean()) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)


def test_groups_are_numbered_and_never_empty():
    rows = np.repeat(np.arange(4, dtype=np.float32), 3)[:, None]
    groups = groups_of(rows, 10, seed=0)
    assert np.bincount(groups).tolist() == [3] * 4
    assert typicality(rows, groups).shape == (12,)


@pytest.mark.parametrize("name", ["suggest", "suggest_groups", "suggest_picks", "softmax"])
def test_the_examples_of_suggesting_run(name):
    found = doctest.testmod(import_module(f"latentdx.diagnosis.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
