import time
import tracemalloc

import numpy as np
import pytest

from latentdx.core.errors import StopError
from latentdx.metrics.bootstrap import estimate
from latentdx.metrics.decisions import ppv
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.summary import NAMES, summarise

EXPECTED = {
    "auroc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "brier",
    "ece",
    "log_loss",
}


def seeded():
    return np.random.default_rng(5)


def cohort(n_scans, n_classes):
    """Labels, probabilities that know something of them, top decisions, patients with 2 scans."""
    generator = np.random.default_rng(n_scans + n_classes)
    labels = generator.integers(0, n_classes, n_scans)
    table = generator.dirichlet(np.ones(n_classes), n_scans) + np.eye(n_classes)[labels] / 2
    table /= table.sum(axis=1, keepdims=True)
    return labels, table, table.argmax(axis=1), np.arange(n_scans) // 2


@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_metric_lies_in_its_interval(n_classes):
    found = summarise(*cohort(200, n_classes), generator=seeded(), n_resamples=500)
    assert set(found) == set(NAMES) == EXPECTED
    for name in EXPECTED:
        assert found[name].low < found[name].value < found[name].high
    assert {(each.n_scans, each.n_patients) for each in found.values()} == {(200, 100)}


def test_each_is_the_metric_alone_on_the_same_resamples():
    labels, table, decided, patients = cohort(120, 3)
    found = summarise(labels, table, decided, patients, generator=seeded(), n_resamples=300)
    for name, metric, predicted in (("auroc", auroc, table), ("ppv", ppv, decided)):
        alone = estimate(metric, labels, predicted, patients, generator=seeded(), n_resamples=300)
        assert found[name] == alone


def test_the_names_of_patients_do_not_matter():
    labels, table, decided, patients = cohort(100, 2)
    renamed = [f"{(int(patient) * 7919) % 10_007:05d}" for patient in patients]
    first = summarise(labels, table, decided, patients, generator=seeded(), n_resamples=100)
    assert first == summarise(labels, table, decided, renamed, generator=seeded(), n_resamples=100)


def test_one_class_leaves_what_needs_two_undefined_and_the_rest_told():
    labels = np.zeros(6, dtype=int)
    table = np.tile([0.75, 0.25], (6, 1))
    found = summarise(labels, table, labels, "abcdef", generator=seeded(), n_resamples=50)
    undefined = {name for name, each in found.items() if each.value is None}
    assert undefined == {
        "auroc", "average_precision", "balanced_accuracy", "sensitivity", "ppv", "f1",
    }  # fmt: skip
    assert all(found[name].as_json()["low"] is None for name in undefined)
    assert (found["accuracy"].value, found["brier"].value) == (1, 0.0625)


def test_a_class_of_the_task_that_no_scan_has_makes_the_macro_means_undefined():
    table = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    found = summarise([0, 1], table, [0, 1], "ab", generator=seeded(), n_resamples=50)
    assert found["balanced_accuracy"].value is None
    assert found["accuracy"].value == 1


def test_no_scans_are_no_error():
    found = summarise([], np.empty((0, 2)), [], [], generator=seeded(), n_resamples=50)
    assert {each.value for each in found.values()} == {None}


def test_a_test_part_takes_well_under_a_second():
    part = cohort(624, 2)
    start = time.thread_time()  # not the wall clock: other tests run beside this one
    summarise(*part, generator=seeded(), n_resamples=2000)
    assert time.thread_time() - start < 1


def test_a_hundred_thousand_scans_fit_in_bounded_memory():
    part = cohort(100_000, 2)
    tracemalloc.start()
    summarise(*part, generator=seeded(), n_resamples=45)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All the weights of 2,000 resamples would be 1.6 GB.
    assert peak < 200e6


def test_a_lone_column_mixed_lengths_and_scores_are_refused():
    table = np.array([[0.4, 0.6], [0.7, 0.3]])
    for part, code in [
        (([0, 1], table[:, 1], [0, 1], "ab"), "E_LENGTHS"),
        (([0, 1], table, [0, 1], "abc"), "E_LENGTHS"),
        (([0, 1], table, [0, 1, 1], "ab"), "E_LENGTHS"),
        (([0, 1], table * 3, [0, 1], "ab"), "E_PROBABILITIES"),
        (([0, 2], table, [0, 1], "ab"), "E_LABELS"),
        (([0, 1], table, [0, 2], "ab"), "E_LABELS"),
        (([0, 1], table, table[:, 1], "ab"), "E_DECISIONS"),
        (([0, 1], table, [0, 1], ["a", None]), "E_PATIENT"),
    ]:
        with pytest.raises(StopError) as caught:
            summarise(*part, generator=seeded(), n_resamples=5)
        assert caught.value.code == code
