import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from latentdx.metrics.bootstrap import bootstrap, estimate
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.folds import folded, spread_of


def within_folds(labels, scores, patients, folds, generator):
    return bootstrap(folded(auroc, labels, scores, folds), patients, generator=generator)[0]


@pytest.fixture
def scored(generator):
    labels = np.arange(120) % 2
    folds = np.arange(120) // 2 % 3
    scores = generator.normal(size=120) + labels
    return labels, scores, [f"P{index}" for index in range(120)], folds


def test_it_is_the_mean_of_the_folds(scored, generator):
    labels, scores, patients, folds = scored
    found = within_folds(labels, scores, patients, folds, generator)
    own = [roc_auc_score(labels[folds == k], scores[folds == k]) for k in range(3)]
    assert found.value == pytest.approx(np.mean(own))
    assert found.low < found.value < found.high
    assert (found.n_scans, found.n_patients) == (120, 120)


def test_another_scale_in_each_fold_changes_nothing_but_pooled(scored):
    labels, scores, patients, folds = scored
    shifted = 3 * scores + 10 * folds

    def both(values):
        draw = np.random.default_rng(0)
        within = within_folds(labels, values, patients, folds, draw)
        return within, estimate(auroc, labels, values, patients, generator=draw, n_resamples=0)

    (before, pooled), (after, spoilt) = both(scores), both(shifted)
    assert after == before
    assert spoilt.value < pooled.value - 0.1


def test_one_fold_is_the_metric_itself(scored):
    labels, scores, patients, _ = scored
    draw = [np.random.default_rng(3) for _ in range(2)]
    found = within_folds(labels, scores, patients, np.zeros(120), draw[0])
    assert found == estimate(auroc, labels, scores, patients, generator=draw[1])


def test_a_fold_without_a_class_is_left_out(generator):
    found = within_folds([0, 1, 0, 0], [1.0, 2.0, 3.0, 4.0], "abcd", [0, 0, 1, 1], generator)
    assert found.value == 1.0


def test_the_spread_needs_two():
    assert spread_of([0.5, None]) is None
    assert spread_of([0.5, 0.7]).as_json() == pytest.approx(
        {"mean": 0.6, "deviation": np.sqrt(0.02), "least": 0.5, "greatest": 0.7}
    )
