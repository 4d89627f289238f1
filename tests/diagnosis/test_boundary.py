"""The boundary of two classes: found where an intercept is lost, and nowhere else than between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from diagnosis_blobs import blobs

from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.boundary import TRUSTED, boundary_of, crossing
from latentdx.diagnosis.head import Head, HeadSettings, fit_calibrated
from latentdx.diagnosis.out_of_fold import ENOUGH, FEWEST, Learned, out_of_fold
from latentdx.diagnosis.views import Viewed
from latentdx.features.table import FeatureTable
from latentdx.metrics.calibration import log_loss
from latentdx.metrics.decisions import balanced_accuracy


@dataclass(frozen=True)
class Skewed:
    """A machine that tells the classes by the first feature, on a scale of its own."""

    scale: float
    intercept: float

    def scores(self, features: np.ndarray) -> np.ndarray:
        return np.float32(self.scale) * features[:, :1] + np.float32(self.intercept)


def known(count: int, share: float, seed: int) -> Learned:
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) < share * count).astype(np.int64)
    features = generator.normal(4 * labels[:, None] - 2, 1, (count, 1)).astype(np.float32)
    return Learned(features, labels, np.arange(count))


def skewed() -> Iterator[Skewed]:
    for scale, intercept in [(1, 3), (5, -4), (0.2, 5), (9, -6), (2, 7)]:
        yield Skewed(scale, intercept)


@pytest.mark.parametrize("positive", [0.1, 0.5, 0.9])
def test_an_intercept_that_is_lost_is_made_up_for(positive: float) -> None:
    """Whatever the share of the positive among scans without a label, and of other folds."""
    train, others, new = known(12, 0.5, 0), known(200, positive, 2), known(1000, 0.5, 3)
    folds, machine = skewed(), Skewed(1, 9.0)
    own = out_of_fold(machine, lambda _: next(folds), train, others.features, seed=0)
    assert own is not None
    assert np.abs(own - machine.scores(train.features)).max() < 1e-4
    found = boundary_of(own[:, 0].astype(np.float64), train.labels)
    scores = machine.scores(new.features)[:, 0]
    at_zero, decided = (scores >= 0).astype(np.int64), (scores >= found).astype(np.int64)
    assert balanced_accuracy(new.labels, at_zero) == 0.5
    assert balanced_accuracy(new.labels, decided) > 0.9


def test_scores_of_folds_are_of_machines_that_have_not_seen_them() -> None:
    train, others = known(20, 0.5, 0), known(50, 0.5, 1)
    seen: list[set[int]] = []

    def again(rows: np.ndarray) -> Skewed:
        seen.append(set(rows.tolist()))
        return Skewed(1, 0)

    doubled = replace(train, groups=np.arange(20) // 2)
    assert out_of_fold(Skewed(1, 0), again, doubled, others.features, seed=0) is not None
    assert set.intersection(*seen) == set()
    for rows in seen:  # patients stay together
        assert {row // 2 for row in rows} == {row // 2 for row in rows if row % 2}


def test_it_needs_scans_beside_and_patients() -> None:
    train, others = known(12, 0.5, 0), known(FEWEST, 0.5, 1).features

    def asked(train: Learned, others: np.ndarray) -> np.ndarray | None:
        return out_of_fold(Skewed(1, 0), lambda _: Skewed(1, 0), train, others, seed=0)

    assert asked(train, others) is not None
    assert asked(train, others[1:]) is None
    alone = replace(train, groups=np.where(train.labels == 1, 0, 1 + np.arange(12)))
    assert asked(alone, others) is None


def test_labels_are_few_by_patients_of_the_rarest_class() -> None:
    def few(count: int, scans: int = 1) -> bool:
        rows = np.arange(count)
        groups = rows // scans
        return Learned(np.zeros((count, 1), np.float32), groups % 2, groups).is_few

    assert few(2 * ENOUGH - 2)
    assert not few(2 * ENOUGH)
    assert few(2 * ENOUGH, scans=2)
    assert not few(4000, scans=20)


def test_zero_stays_where_it_is_near_enough() -> None:
    def found(seed: int, moved: float) -> float:
        train = known(30, 0.5, seed)
        return boundary_of(train.features[:, 0] + moved, train.labels)

    assert sum(found(seed, 0.0) == 0 for seed in range(20)) > 15
    assert all(found(seed, 2.0) == pytest.approx(2, abs=0.6) for seed in range(20))


def test_with_enough_patients_a_head_decides_at_zero() -> None:
    counts = (TRUSTED - 1, TRUSTED)
    assert [few_labels(0, counts=(n, 60))[0].boundary == 0 for n in counts] == [False, True]


def test_scores_that_say_nothing_leave_it_between_the_classes() -> None:
    generator = np.random.default_rng(0)
    for count in (6, 60):
        labels = (np.arange(count) < max(2, count // 10)).astype(np.int64)
        scores = generator.normal(5, 1, count) - labels  # told the wrong way round
        means = sorted([scores[labels == 0].mean(), scores[labels == 1].mean()])
        assert means[0] <= crossing(scores, labels) <= means[1]
    assert crossing(np.ones(4), np.array([0, 0, 1, 1])) == 1


def few_labels(
    seed: int, n_others: int = 150, counts: tuple[int, int] = (4, 10)
) -> tuple[Head, FeatureTable]:
    """A head of a few labels, uneven, with two to calibrate by; and new scans."""
    features, labels = blobs(400, n_classes=2, seed=seed)
    generator = np.random.default_rng(seed)
    wide = np.hstack([features, generator.normal(0, 1, (400, 40))]).astype(np.float32)
    order = generator.permutation(400)
    names = np.array([f"P{row}" for row in range(400)])
    table = FeatureTable(wide, labels, names, names, names, ("no", "yes"), "", "").take(order)
    by_class = [np.flatnonzero(table.labels == label) for label in (0, 1)]
    pairs = list(zip(by_class, counts, strict=True))
    train = table.take(np.concatenate([rows[:count] for rows, count in pairs]))
    held = table.take(np.array([rows[count] for rows, count in pairs]))
    used = np.concatenate([rows[: count + 1] for rows, count in pairs])
    rest = table.take(np.setdiff1d(np.arange(400), used))
    scans = LabelledScans(
        np.zeros((2, 1, 4, 4), np.float32),
        *(held.labels, held.patients, held.scan_ids, held.parts, held.classes, ""),
    )
    head = fit_calibrated(
        train,
        Viewed(scans, (held.embeddings,)),
        HeadSettings(components=32),
        n_scans=len(train),
        seed=seed,
        others=rest.take(np.arange(n_others)) if n_others else None,
    )
    return head, rest.take(np.arange(150, len(rest)))


@pytest.mark.parametrize(("n_others", "gain"), [(150, 0.08), (0, 0.02)])
def test_a_head_of_few_labels_decides_better_than_at_zero(n_others: int, gain: float) -> None:
    found = []
    for seed in range(6):
        head, new = few_labels(seed, n_others)
        scores = head.scores(new.embeddings)
        at_zero = (scores[:, 0] >= 0).astype(np.int64)
        decided = head.decide(head.probabilities(scores))
        np.testing.assert_array_equal(decided, (scores[:, 0] >= head.boundary).astype(np.int64))
        found.append([balanced_accuracy(new.labels, each) for each in (at_zero, decided)])
    zero, own = np.mean(found, axis=0)
    assert own > zero + gain


def test_probabilities_of_few_labels_are_no_worse_than_none() -> None:
    """Two scans to calibrate by would promise far too much."""
    losses = []
    for seed in range(6):
        head, new = few_labels(seed)
        losses.append(log_loss(new.labels, head.probabilities(head.scores(new.embeddings))))
    assert np.mean(losses) < np.log(2) + 0.05
