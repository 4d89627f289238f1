import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
)

from latentdx.core.errors import StopError
from latentdx.metrics import decisions
from latentdx.metrics.decisions import (
    FROM_COUNTS,
    accuracy,
    balanced_accuracy,
    f1,
    npv,
    ppv,
    sensitivity,
    specificity,
)

PROPERTY = settings(deadline=None, derandomize=True)
METRICS = (accuracy, balanced_accuracy, sensitivity, specificity, ppv, npv, f1)


def oracle(name, labels, decided, n_classes):
    """scikit-learn's value; its specificity and NPV are recall and precision of "not class k"."""
    classes = [1] if n_classes == 2 else range(n_classes)
    score, wanted = {
        "sensitivity": (recall_score, 1),
        "specificity": (recall_score, 0),
        "ppv": (precision_score, 1),
        "npv": (precision_score, 0),
        "f1": (f1_score, 1),
    }.get(name, (None, 1))
    if score is None:
        whole = accuracy_score if name == "accuracy" else balanced_accuracy_score
        return whole(labels, decided)
    return np.mean([score(labels == k, decided == k, pos_label=wanted) for k in classes])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_agrees_with_scikit_learn_also_under_weights(metric, n_classes, generator, repeated_rows):
    labels = generator.integers(0, n_classes, 200)
    decided = np.where(generator.random(200) < 0.6, labels, generator.integers(0, n_classes, 200))
    expected = oracle(metric.__name__, labels, decided, n_classes)
    assert metric(labels, decided) == pytest.approx(expected, abs=1e-12)
    weights, repeats = repeated_rows(200)
    repeated = [oracle(metric.__name__, labels[r], decided[r], n_classes) for r in repeats]
    np.testing.assert_allclose(metric(labels, decided, weights=weights), repeated, atol=1e-12)


def test_binary_by_hand():
    labels, decided = [1] * 5 + [0] * 5, [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    found = [metric(labels, decided) for metric in METRICS]
    assert found == pytest.approx([0.7, 0.7, 3 / 5, 4 / 5, 3 / 4, 4 / 6, 6 / 9])


def test_macro_sensitivity_of_many_classes_is_balanced_accuracy(generator):
    labels, decided = generator.integers(0, 4, (2, 100))
    assert sensitivity(labels, decided) == pytest.approx(balanced_accuracy(labels, decided))


def test_undefined_is_nan_and_not_zero():
    assert np.isnan(sensitivity([0, 0], [0, 1]))
    assert np.isnan(specificity([1, 1], [0, 1]))
    assert np.isnan(ppv([0, 1], [0, 0]))
    assert np.isnan(npv([0, 1], [1, 1]))
    assert np.isnan(f1([0, 0], [0, 1]))
    assert f1([0, 1], [0, 0]) == 0
    assert np.isnan(ppv([0, 1, 2], [0, 1, 1]))
    assert np.isnan(accuracy([], []))


def test_a_class_that_nobody_has_still_counts_when_the_task_has_it():
    labels = np.array([0, 1])
    counts = decisions.count_classes(labels, labels, np.ones((1, 2)), n_classes=3)
    assert np.isnan(FROM_COUNTS["balanced_accuracy"](counts)[0])
    assert FROM_COUNTS["accuracy"](counts)[0] == 1


def test_the_table_by_name_holds_the_public_metrics():
    assert list(FROM_COUNTS) == [metric.__name__ for metric in METRICS]


@PROPERTY
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_values_lie_in_range_and_ones_mean_no_weights(pairs):
    labels, decided = np.array(pairs).T
    for metric in METRICS:
        value = metric(labels, decided)
        assert np.isnan(value) or 0 <= value <= 1 + 1e-12
        ones = metric(labels, decided, weights=np.ones((3, len(labels)), dtype=int))
        np.testing.assert_array_equal(ones, [value] * 3)


def test_scores_in_place_of_decisions_are_refused():
    with pytest.raises(StopError, match="E_DECISIONS"):
        accuracy([0, 1], [0.2, 0.9])
    with pytest.raises(StopError, match="E_DECISIONS"):
        accuracy([0, 1], np.eye(2, dtype=int))
