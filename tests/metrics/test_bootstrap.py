import numpy as np
import pytest

from latentdx.core.errors import StopError
from latentdx.metrics import bootstrap as module
from latentdx.metrics.bootstrap import (
    bootstrap,
    cluster_weights,
    estimate,
    paired_difference,
    patient_groups,
)
from latentdx.metrics.decisions import accuracy
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.intervals import percentile_interval


def seeded():
    return np.random.default_rng(5)


def all_weights(patients, n_resamples):
    return np.concatenate(list(cluster_weights(patients, n_resamples, seeded())))


def width(found):
    return found.high - found.low


def test_a_patient_is_drawn_whole_and_as_many_patients_as_there_are():
    patients = np.array(["a", "b", "a", "c", "b", "d"])
    weights = all_weights(patients, 500)
    assert weights.shape == (500, 6)
    assert weights.dtype.kind == "i"
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3, 5]].sum(axis=1) == 4).all()


def test_every_patient_is_drawn_once_on_average_with_the_binomial_spread():
    weights = all_weights(range(20), 20_000)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(weights.var(axis=0), 1 - 1 / 20, atol=0.06)


def test_chunks_are_bounded_and_do_not_change_the_draws(monkeypatch):
    patients = np.arange(100) // 3
    whole = all_weights(patients, 50)
    monkeypatch.setattr(module, "CHUNK_CELLS", 700)
    chunks = list(cluster_weights(patients, 50, seeded()))
    assert [len(chunk) for chunk in chunks] == [7] * 7 + [1]
    np.testing.assert_array_equal(np.concatenate(chunks), whole)


def test_many_scans_come_in_small_chunks():
    chunk = next(cluster_weights(np.arange(300_000), 2000, seeded()))
    assert chunk.size <= module.CHUNK_CELLS


def test_groups_follow_first_appearance_whatever_the_names():
    assert patient_groups(np.array(["z", "a", "z"])).tolist() == [0, 1, 0]
    assert patient_groups([("site", 1), ("site", 2), ("site", 1)]).tolist() == [0, 1, 0]
    assert patient_groups([]).size == 0


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_a_scan_without_a_patient_is_refused(unknown):
    with pytest.raises(StopError, match="E_PATIENT"):
        patient_groups(["a", unknown])


def test_other_names_and_the_same_seed_give_the_same_interval(generator):
    labels, scores = generator.integers(0, 2, 60), generator.random(60)
    groups = generator.integers(0, 25, 60)
    renamed = np.array([f"{hash((7, int(g))):x}" for g in groups])
    first = estimate(auroc, labels, scores, groups, generator=seeded(), n_resamples=200)
    again = estimate(auroc, labels, scores, renamed, generator=seeded(), n_resamples=200)
    other = estimate(
        auroc, labels, scores, groups, generator=np.random.default_rng(6), n_resamples=200
    )
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
    assert first.value == auroc(labels, scores)
    assert (first.n_scans, first.n_patients) == (60, len(set(groups.tolist())))


def test_copies_of_a_patients_scans_add_no_certainty(generator):
    labels, scores = generator.integers(0, 2, 80), generator.random(80)
    alone = estimate(auroc, labels, scores, range(80), generator=seeded())
    labels, scores = np.repeat(labels, 6), np.repeat(scores, 6)
    by_patient = estimate(auroc, labels, scores, np.repeat(range(80), 6), generator=seeded())
    by_scan = estimate(auroc, labels, scores, range(480), generator=seeded())
    assert (by_patient.low, by_patient.high) == pytest.approx((alone.low, alone.high))
    assert width(by_patient) > 2 * width(by_scan)


def test_intervals_cover_the_truth_where_scans_of_a_patient_go_together(generator):
    """Each patient has their own chance of a right decision, 0.7 on average, and 5 scans."""
    patients = np.repeat(np.arange(50), 5)
    covered = {"patients": 0, "scans": 0}
    for _ in range(200):
        right = generator.random(250) < np.repeat(generator.beta(1.4, 0.6, 50), 5)
        for unit, ids in (("patients", patients), ("scans", np.arange(250))):
            found = estimate(
                accuracy, np.ones(250, int), right, ids, generator=generator, n_resamples=300
            )
            covered[unit] += found.low <= 0.7 <= found.high
    assert 0.89 <= covered["patients"] / 200 <= 0.99
    assert covered["scans"] / 200 < 0.85


def test_undefined_resamples_are_left_out_until_they_are_most():
    labels, scores = np.array([0] * 9 + [1]), np.arange(10.0)
    rare = estimate(auroc, labels, scores, range(10), generator=seeded())
    assert (rare.value, rare.low, rare.high) == (1, 1, 1)
    assert percentile_interval(np.array([np.nan, np.nan, 1.0])) == (None, None)
    assert percentile_interval(np.array([np.nan, 1.0])) == (1, 1)
    assert percentile_interval(np.array([])) == (None, None)


def test_one_class_one_patient_and_no_scans_are_undefined_and_no_error():
    one_class = estimate(auroc, [1, 1], [0.1, 0.2], "ab", generator=seeded(), n_resamples=50)
    assert (one_class.value, one_class.low, one_class.high) == (None, None, None)
    one_patient = estimate(accuracy, [1, 0], [1, 1], "aa", generator=seeded(), n_resamples=50)
    assert (one_patient.value, one_patient.low, one_patient.high) == (0.5, None, None)
    empty = estimate(accuracy, [], [], [], generator=seeded(), n_resamples=50)
    assert (empty.value, empty.low, empty.n_scans, empty.n_patients) == (None, None, 0, 0)


def test_percentiles_are_those_of_numpy(generator):
    values = generator.normal(size=999)
    assert percentile_interval(values) == pytest.approx(np.percentile(values, [2.5, 97.5]))


def test_a_model_does_not_differ_from_itself(generator):
    labels, scores = generator.integers(0, 2, 40), generator.random(40)
    found = paired_difference(auroc, labels, scores, scores, range(40), generator=seeded())
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_paired_difference_is_surer_than_two_single_ones(generator):
    labels = np.repeat([0, 1], 60)
    common = generator.normal(size=120) + labels
    first, second = common + generator.normal(size=(2, 120)) / 5
    found = paired_difference(auroc, labels, first, second, range(120), generator=seeded())
    single = estimate(auroc, labels, first, range(120), generator=seeded())
    assert found.value == pytest.approx(auroc(labels, first) - auroc(labels, second))
    assert found.low <= found.value <= found.high
    assert width(found) < width(single) / 2
    turned = paired_difference(auroc, labels, second, first, range(120), generator=seeded())
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_several_statistics_share_their_resamples():
    values = np.array([1.0, 2.0, 4.0, 8.0])

    def statistic(weights):
        mean = weights @ values / weights.sum(axis=1)
        return np.stack([mean, 3 * mean], axis=1)

    one, three = bootstrap(statistic, "abcd", generator=seeded(), n_resamples=100)
    assert (three.low, three.high) == pytest.approx((3 * one.low, 3 * one.high))
