import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from latentdx.core.errors import StopError
from latentdx.metrics.delong import delong_covariance, delong_test
from latentdx.metrics.discrimination import auroc


def pairwise(labels, scores):
    """DeLong's definition over all pairs, (M, positives, negatives): slow and plain."""
    gaps = scores[:, labels == 1][:, :, None] - scores[:, labels == 0][:, None, :]
    wins = (gaps > 0) + 0.5 * (gaps == 0)
    by_positive, by_negative = wins.mean(axis=2), wins.mean(axis=1)
    covariance = np.cov(by_positive) / by_positive.shape[1]
    return wins.mean(axis=(1, 2)), covariance + np.cov(by_negative) / by_negative.shape[1]


@pytest.fixture
def three_models(generator):
    labels = (generator.random(90) < 0.3).astype(int)
    return labels, np.round(generator.normal(size=(3, 90)) + labels, 1)


def test_covariance_agrees_with_all_pairs(three_models):
    labels, scores = three_models
    values, covariance = pairwise(labels, scores)
    found = delong_covariance(labels, scores)
    np.testing.assert_allclose(found.auroc, values, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9)
    assert found.auroc[0] == pytest.approx(roc_auc_score(labels, scores[0]))


def test_variance_is_that_of_a_published_example():
    """The WFNS grade of 113 patients with a bleeding aneurysm, by outcome: good or poor.

    Data: Turck et al., Intensive Care Medicine 36, 2010. Numbers: pROC 1.18 (Robin et al., BMC
    Bioinformatics 12, 2011), whose tests state the variance to 15 digits.
    """
    grades = np.arange(1, 6)
    good, poor = np.repeat(grades, [37, 20, 3, 8, 4]), np.repeat(grades, [2, 12, 1, 8, 18])
    labels = np.repeat([0, 1], [len(good), len(poor)])
    found = delong_covariance(labels, np.concatenate([good, poor]))
    assert found.auroc[0] == pytest.approx(0.8236789, abs=5e-8)
    assert found.covariance[0, 0] == pytest.approx(0.00146991470882363, rel=1e-12)


def test_test_agrees_with_all_pairs(three_models):
    labels, scores = three_models
    values, covariance = pairwise(labels, scores[:2])
    contrast = np.array([1, -1])
    z = (values[0] - values[1]) / np.sqrt(contrast @ covariance @ contrast)
    found = delong_test(labels, *scores[:2], patients=range(90))
    assert found == pytest.approx((values[0] - values[1], z, 2 * norm.sf(abs(z))), rel=1e-9)


def test_swapping_the_models_turns_the_sign_only(three_models):
    labels, (first, second, _) = three_models
    there = delong_test(labels, first, second, patients=range(90))
    back = delong_test(labels, second, first, patients=range(90))
    assert there.difference == pytest.approx(-back.difference)
    assert there.p_value == pytest.approx(back.p_value)


def test_models_that_rank_alike_do_not_differ(three_models):
    labels, scores = three_models
    found = delong_test(labels, scores[0], np.exp(scores[0]), patients=range(90))
    assert found == (0, 0, 1)


def test_p_values_are_uniform_where_the_models_are_equally_good(generator):
    labels = np.repeat([0, 1], 60)
    shared = generator.normal(size=(400, 1, 120)) + labels
    scores = shared + generator.normal(size=(400, 2, 120))
    p = [delong_test(labels, *pair, patients=range(120)).p_value for pair in scores]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.035)
    assert np.mean(np.array(p) < 0.5) == pytest.approx(0.5, abs=0.08)


def test_the_variance_is_that_of_repeated_experiments(generator):
    labels = np.repeat([0, 1], 50)
    runs = [delong_covariance(labels, generator.normal(size=100) + labels) for _ in range(500)]
    spread = np.var([run.auroc[0] for run in runs])
    assert np.mean([run.covariance[0, 0] for run in runs]) == pytest.approx(spread, rel=0.2)


def test_a_hundred_thousand_scans_are_no_matter(generator):
    labels = generator.integers(0, 2, 100_000)
    scores = generator.normal(size=100_000) + labels
    found = delong_covariance(labels, scores)
    assert found.auroc[0] == pytest.approx(auroc(labels, scores), abs=1e-12)


def test_undefined_is_said_and_not_raised():
    one_class = delong_test([1, 1], [0.1, 0.2], [0.2, 0.1], patients="ab")
    assert one_class == (None, None, None)
    alone = delong_test([1, 0, 0], [0.1, 0.2, 0], [0.2, 0.1, 0], patients="abc")
    assert alone == (-0.5, None, None)
    opposite = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1], patients="abcd")
    assert opposite == (1, None, None)


@pytest.mark.parametrize(
    ("first", "patients", "code"),
    [
        ([0.1, 0.2, 0.3], "aab", "E_CLUSTERED"),
        ([0.1, 0.2, np.nan], "abc", "E_SCORES"),
        ([0.1, 0.2], "abc", "E_LENGTHS"),
        ([0.1, 0.2, 0.3], "abcd", "E_LENGTHS"),
    ],
)
def test_unusable_input_is_refused_by_code(first, patients, code):
    with pytest.raises(StopError) as caught:
        delong_test([0, 1, 1], first, [0.3, 0.2, 0.1], patients=patients)
    assert caught.value.code == code
