import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from latentdx.core.errors import StopError
from latentdx.metrics.grades import FROM_GRADES, grade_error, quadratic_kappa
from latentdx.metrics.summary import NAMES, summarise


def test_kappa_agrees_with_scikit_learn_also_under_weights(generator, repeated_rows):
    labels = generator.integers(0, 5, 200)
    decided = np.clip(labels + generator.integers(-1, 3, 200), 0, 4)
    weights, repeats = repeated_rows(200)
    expected = [cohen_kappa_score(labels[r], decided[r], weights="quadratic") for r in repeats]
    np.testing.assert_allclose(quadratic_kappa(labels, decided, weights=weights), expected)
    assert quadratic_kappa(labels, decided) == pytest.approx(
        cohen_kappa_score(labels, decided, weights="quadratic")
    )


def test_error_in_grades_under_weights(generator, repeated_rows):
    labels, decided = generator.integers(0, 5, (2, 200))
    weights, repeats = repeated_rows(200)
    expected = [np.abs(labels[r] - decided[r]).mean() for r in repeats]
    np.testing.assert_allclose(grade_error(labels, decided, weights=weights), expected)


def test_kappa_of_one_grade_is_undefined():
    assert np.isnan(quadratic_kappa([1, 1, 1], [1, 1, 1]))
    assert quadratic_kappa([1, 1, 2], [1, 1, 1]) == 0


@pytest.mark.parametrize("metric", FROM_GRADES.values(), ids=FROM_GRADES)
def test_scores_are_no_grades(metric):
    with pytest.raises(StopError, match="E_DECISIONS"):
        metric([0, 1, 2], [0.2, 0.4, 1.7])


def test_summary_has_them_only_where_asked():
    labels = np.arange(30) % 3
    table = np.eye(3)[labels] * 0.7 + 0.1
    given = (labels, table, np.roll(labels, 1), np.arange(30))
    found = summarise(*given, generator=np.random.default_rng(0), n_resamples=50, ordered=True)
    assert tuple(found) == ("quadratic_kappa", "grade_error", *NAMES)
    assert found["grade_error"].value == grade_error(labels, np.roll(labels, 1))
    assert found["grade_error"].low <= found["grade_error"].value <= found["grade_error"].high
    plain = summarise(*given, generator=np.random.default_rng(0), n_resamples=50)
    assert tuple(plain) == NAMES
    assert plain == {name: found[name] for name in NAMES}
