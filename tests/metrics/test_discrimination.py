import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from latentdx.core.errors import StopError
from latentdx.metrics.discrimination import auroc, average_precision, roc_points

PROPERTY = settings(deadline=None, derandomize=True)
ORACLES = [(auroc, roc_auc_score), (average_precision, average_precision_score)]


@st.composite
def binary_parts(draw):
    """Labels with both classes, and whole-number scores with many ties."""
    n = draw(st.integers(2, 40))
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))]
    scores = draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n))
    return np.array(labels), np.array(scores)


@pytest.mark.parametrize(("ours", "theirs"), ORACLES)
@pytest.mark.parametrize("decimals", [1, 8])
def test_binary_agrees_with_scikit_learn(ours, theirs, decimals, generator):
    labels = generator.integers(0, 2, 300)
    scores = np.round(generator.random(300) + 0.3 * labels, decimals)
    assert ours(labels, scores) == pytest.approx(theirs(labels, scores), abs=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), ORACLES)
def test_multiclass_is_the_macro_mean_of_one_against_the_rest(ours, theirs, generator):
    labels = generator.integers(0, 4, 200)
    scores = np.round(generator.dirichlet(np.ones(4), 200), 2)
    expected = np.mean([theirs(labels == k, scores[:, k]) for k in range(4)])
    assert ours(labels, scores) == pytest.approx(expected, abs=1e-12)


def test_multiclass_auroc_agrees_with_scikit_learn(generator):
    labels, scores = generator.integers(0, 5, 150), generator.dirichlet(np.ones(5), 150)
    expected = roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert auroc(labels, scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), ORACLES)
def test_two_columns_mean_the_same_as_class_one_alone(ours, theirs, generator):
    labels, p = generator.integers(0, 2, 50), generator.random(50)
    expected = theirs(labels, p)
    assert ours(labels, np.stack([1 - p, p], axis=1)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), ORACLES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_equal_repeated_scans(ours, theirs, n_classes, generator, repeated_rows):
    labels = generator.integers(0, n_classes, 60)
    scores = np.round(generator.dirichlet(np.ones(n_classes), 60), 1)
    weights, repeats = repeated_rows(60)
    expected = [ours(labels[rows], scores[rows]) for rows in repeats]
    np.testing.assert_allclose(ours(labels, scores, weights=weights), expected, rtol=1e-12)
    if n_classes == 2:
        oracle = [theirs(labels[rows], scores[rows, 1]) for rows in repeats]
        np.testing.assert_allclose(expected, oracle, rtol=1e-12)


@PROPERTY
@given(binary_parts())
def test_any_monotone_transform_leaves_the_ranking_metrics_alone(part):
    labels, scores = part
    for metric in (auroc, average_precision):
        assert metric(labels, scores) == metric(labels, np.exp(scores / 3.0) - 7)


@PROPERTY
@given(binary_parts())
def test_turning_the_scores_round_mirrors_the_auroc(part):
    labels, scores = part
    assert auroc(labels, scores) + auroc(labels, -scores) == pytest.approx(1)
    assert auroc(labels, scores) == pytest.approx(auroc(1 - labels, -scores))


@PROPERTY
@given(binary_parts())
def test_values_lie_in_range_and_ones_mean_no_weights(part):
    labels, scores = part
    for metric in (auroc, average_precision):
        value = metric(labels, scores)
        assert 0 <= value <= 1 + 1e-12
        ones = metric(labels, scores, weights=np.ones((2, len(labels)), int))
        np.testing.assert_allclose(ones, [value] * 2, rtol=1e-12)


@PROPERTY
@given(binary_parts())
def test_auroc_is_the_fraction_of_pairs_ranked_rightly(part):
    labels, scores = part
    gaps = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    assert auroc(labels, scores) == pytest.approx(np.mean((gaps > 0) + 0.5 * (gaps == 0)))


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_a_missing_class_is_undefined_in_that_row_only(metric):
    found = metric([0, 0, 1], [0.1, 0.2, 0.3], weights=np.array([[1, 1, 0], [1, 0, 1]]))
    assert np.isnan(found[0])
    assert found[1] == 1
    assert np.isnan(metric([0, 0], [0.1, 0.2]))
    assert np.isnan(metric([0, 1, 0], np.eye(3)))


def test_infinite_scores_rank_at_the_ends():
    assert auroc([0, 0, 1, 1], [-np.inf, 0, 1, np.inf]) == 1
    assert auroc([0, 1], [np.inf, np.inf]) == 0.5


@pytest.mark.parametrize("decimals", [1, 8])
def test_roc_points_agree_with_scikit_learn(decimals, generator):
    labels = generator.integers(0, 2, 80)
    scores = np.round(generator.random(80), decimals)
    fpr, tpr = roc_points(labels, scores)
    expected_fpr, expected_tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(fpr, expected_fpr)
    np.testing.assert_allclose(tpr, expected_tpr)


@PROPERTY
@given(binary_parts())
def test_the_area_under_the_roc_points_is_the_auroc(part):
    labels, scores = part
    fpr, tpr = roc_points(labels, scores)
    assert np.trapezoid(tpr, fpr) == pytest.approx(auroc(labels, scores))
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)


def test_roc_points_of_one_class_have_no_rate_for_the_other():
    fpr, tpr = roc_points([1, 1], [0.2, 0.4])
    assert np.isnan(fpr).all()
    assert tpr.tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("labels", "scores", "weights", "code"),
    [
        ([0, 1], [0.1, np.nan], None, "E_SCORES"),
        ([0, 1], [0.1, 0.2, 0.3], None, "E_LENGTHS"),
        ([0, 1], [[0.1], [0.2]], None, "E_LENGTHS"),
        ([0, 1], [0.1, 0.2], np.ones(2), "E_LENGTHS"),
        ([0, 1], [0.1, 0.2], np.ones((1, 3)), "E_LENGTHS"),
        ([0, 2], [0.1, 0.2], None, "E_LABELS"),
        ([0, -1], [0.1, 0.2], None, "E_LABELS"),
        ([0.5, 1.0], [0.1, 0.2], None, "E_LABELS"),
    ],
)
def test_unusable_input_is_refused_by_code(labels, scores, weights, code):
    with pytest.raises(StopError) as caught:
        auroc(labels, scores, weights=weights)
    assert caught.value.code == code


def test_roc_points_refuse_a_table_of_scores():
    with pytest.raises(StopError, match="E_LENGTHS"):
        roc_points([0, 1], np.eye(2))
