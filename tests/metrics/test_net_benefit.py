"""Net benefit, against its definition scan by scan."""

import numpy as np
import pytest

from latentdx.metrics.net_benefit import THRESHOLDS, decision_curve, net_benefits


@pytest.fixture
def told(generator):
    labels = (generator.random(120) < 0.3).astype(int)
    odds = generator.normal(size=120) + 2.5 * labels - 1.5
    return labels, np.round(1 / (1 + np.exp(-odds)), 2)  # some lie on thresholds


def plainly(labels, probabilities, threshold):
    n = len(labels)
    treated = probabilities >= threshold
    true, false = (treated & (labels == 1)).sum(), (treated & (labels == 0)).sum()
    exchange = threshold / (1 - threshold)
    everybody = labels.mean() - (1 - labels.mean()) * exchange
    return true / n - false / n * exchange, everybody


def test_it_is_its_definition(told):
    found = net_benefits(*told, np.ones((1, 120)))
    expected = [plainly(*told, threshold) for threshold in THRESHOLDS]
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_weights_are_scans_repeated(told, repeated_rows):
    labels, probabilities = told
    weights, indices = repeated_rows(120)
    found = net_benefits(labels, probabilities, weights.astype(float))
    for row, rows in zip(found, indices, strict=True):
        expected = [plainly(labels[rows], probabilities[rows], t) for t in THRESHOLDS]
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_treating_all_crosses_nought_at_the_prevalence(told):
    labels, probabilities = told
    share = labels.mean()
    found = net_benefits(labels, probabilities, np.ones((1, 120)), [share])
    assert found[0, 0, 1] == pytest.approx(0, abs=1e-12)


def test_a_perfect_model_is_worth_the_prevalence(told):
    labels, _ = told
    curve = decision_curve(
        labels, labels * 1.0, range(120), generator=np.random.default_rng(0), n_resamples=100
    )
    for threshold, model, everybody, gain in curve:
        assert model.value == pytest.approx(labels.mean())
        assert gain.value == pytest.approx(labels.mean() - max(0, everybody.value), abs=1e-12)
        assert 0 < threshold < 1


def test_a_model_that_knows_nothing_is_worth_no_more_than_either_rule(generator):
    labels = (generator.random(4000) < 0.3).astype(int)
    probabilities = generator.random(4000)
    curve = decision_curve(labels, probabilities, range(4000), generator=generator, n_resamples=100)
    assert all(gain.value < 0.01 for _, _, _, gain in curve)
    assert all((model.n_scans, model.n_patients) == (4000, 4000) for _, model, _, _ in curve)


def test_a_good_model_is_worth_more_where_it_is_unclear_what_to_do(told):
    curve = decision_curve(*told, np.arange(120) // 2, generator=np.random.default_rng(0))
    gains = {round(at, 2): gain for at, _, _, gain in curve}
    assert gains[0.3].low > 0
    assert gains[0.3].low < gains[0.3].value < gains[0.3].high


def test_without_scans_nothing_is_known():
    curve = decision_curve([], [], [], generator=np.random.default_rng(0))
    assert {model.value for _, model, _, _ in curve} == {None}
