"""What is told of the model alone: over shared resamples, each the metric alone."""

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from latentdx.metrics.bootstrap import estimate
from latentdx.metrics.calibration import balanced_brier, brier, ece, ece_debiased
from latentdx.metrics.decisions import at_prevalence, count_classes, matthews, npv, ppv
from latentdx.metrics.further import OF_ALL, OF_TWO, further_names, summarise_further
from latentdx.metrics.operating import sensitivity_at_specificity
from latentdx.metrics.recalibration import calibration_slope


def seeded():
    return np.random.default_rng(5)


def cohort(n_scans, n_classes):
    generator = np.random.default_rng(n_scans + n_classes)
    labels = generator.integers(0, n_classes, n_scans)
    table = generator.dirichlet(np.ones(n_classes), n_scans) + np.eye(n_classes)[labels] / 2
    table /= table.sum(axis=1, keepdims=True)
    return labels, table, table.argmax(axis=1), np.arange(n_scans) // 2


@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_metric_has_its_interval_and_counts(n_classes):
    found = summarise_further(*cohort(300, n_classes), generator=seeded(), n_resamples=400)
    assert tuple(found) == further_names(n_classes)
    assert set(found) == set(OF_ALL) | (set(OF_TWO) if n_classes == 2 else set())
    for name, each in found.items():
        assert (each.n_scans, each.n_patients) == (300, 150)
        assert each.low <= each.value <= each.high, name


def test_each_is_the_metric_alone_on_the_same_resamples():
    labels, table, decided, patients = cohort(200, 2)
    found = summarise_further(labels, table, decided, patients, generator=seeded(), n_resamples=200)
    alone = {
        "sensitivity_at_specificity_90": (sensitivity_at_specificity(0.9), table),
        "matthews": (matthews, decided),
        "balanced_brier": (balanced_brier, table),
        "calibration_slope": (calibration_slope, table),
    }
    for name, (metric, predicted) in alone.items():
        one = estimate(metric, labels, predicted, patients, generator=seeded(), n_resamples=200)
        assert found[name].as_json() == pytest.approx(one.as_json(), rel=1e-6), name


def test_the_share_of_these_scans_gives_back_their_own_predictive_values():
    labels, table, decided, patients = cohort(120, 2)
    found = summarise_further(labels, table, decided, patients, generator=seeded(), n_resamples=0)
    assert found["ppv_at_prevalence"].value == pytest.approx(ppv(labels, decided))
    assert found["npv_at_prevalence"].value == pytest.approx(npv(labels, decided))


@pytest.mark.parametrize("prevalence", [0.01, 0.2, 0.7])
def test_predictive_values_are_those_of_scans_of_that_prevalence(prevalence):
    """Positives and negatives repeated until the share is right."""
    labels, table, decided, patients = cohort(120, 2)
    n_positive, n_negative = (labels == 1).sum(), (labels == 0).sum()
    weights = np.where(labels == 1, prevalence / n_positive, (1 - prevalence) / n_negative)
    right = (labels == decided) * weights
    found = summarise_further(
        labels, table, decided, patients,
        generator=seeded(), n_resamples=0, prevalence=prevalence,
    )  # fmt: skip
    for k, name in ((1, "ppv_at_prevalence"), (0, "npv_at_prevalence")):
        expected = right[decided == k].sum() / weights[decided == k].sum()
        assert found[name].value == pytest.approx(expected)


def test_predictive_values_are_undefined_where_nothing_is_decided_so():
    counts = count_classes(np.array([0, 1]), np.array([0, 0]), np.ones((1, 2)), n_classes=2)
    positive, negative = at_prevalence(counts, 0.3)
    assert np.isnan(positive[0])
    assert negative[0] == pytest.approx(0.7)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_matthews_is_scikit_learns(generator, repeated_rows, n_classes):
    labels, decided = generator.integers(0, n_classes, (2, 60))
    weights, indices = repeated_rows(60)
    found = matthews(labels, decided, weights=weights)
    expected = [matthews_corrcoef(labels[rows], decided[rows]) for rows in indices]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(matthews([0, 1, 1], [1, 1, 1]))


def test_the_balanced_brier_score_does_not_depend_on_how_common_a_class_is(generator):
    told = generator.random(200) / 2
    labels = (generator.random(200) < told).astype(int)
    rows = np.concatenate([np.arange(200), np.repeat(np.flatnonzero(labels == 1), 3)])
    assert balanced_brier(labels[rows], told[rows]) == pytest.approx(balanced_brier(labels, told))
    assert brier(labels[rows], told[rows]) != pytest.approx(brier(labels, told), abs=1e-3)
    by_class = [((told - k) ** 2)[labels == k].mean() for k in (0, 1)]
    assert balanced_brier(labels, told) == pytest.approx(np.mean(by_class))


def debiased_plainly(labels, told):
    """Kumar, Liang and Ma's estimator, bin by bin."""
    total = scans = 0
    for k in range(10):
        own = np.minimum((told * 10).astype(int), 9) == k
        n = own.sum()
        if n > 1:
            share = labels[own].mean()
            total += n * ((told[own].mean() - share) ** 2 - share * (1 - share) / (n - 1))
            scans += n
    return np.sqrt(max(0, total / scans))


def test_the_debiased_error_is_its_definition_and_weights_are_scans_repeated(
    generator, repeated_rows
):
    told = generator.random(150)
    labels = (generator.random(150) < told**2).astype(int)
    assert ece_debiased(labels, told) == pytest.approx(debiased_plainly(labels, told))
    weights, indices = repeated_rows(150)
    found = ece_debiased(labels, told, weights=weights)
    expected = [debiased_plainly(labels[rows], told[rows]) for rows in indices]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_few_scans_do_not_raise_the_debiased_error_as_they_do_the_plain_one(generator):
    """All is told rightly: the plain error of 100 scans is far from 0, its square's bias gone."""
    plain, squared = [], []
    for _ in range(300):
        told = generator.random(100)
        labels = (generator.random(100) < told).astype(int)
        plain.append(ece(labels, told))
        squared.append(ece_debiased(labels, told))
    assert np.mean(plain) > 0.08
    assert np.median(squared) < 0.05
    wrong = [
        ece_debiased((generator.random(400) < 0.5).astype(int), np.full(400, 0.75))
        for _ in range(100)
    ]
    assert np.mean(wrong) == pytest.approx(0.25, abs=0.01)
    assert np.isnan(ece_debiased([1], [0.5]))
