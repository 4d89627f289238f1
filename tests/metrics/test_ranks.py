"""The quick AUROC is the AUROC, on every resample."""

import time

import numpy as np
import pytest

from latentdx.core.errors import StopError
from latentdx.metrics.bootstrap import estimate, paired_difference
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.ranks import auroc_difference, auroc_estimate


def seeded():
    return np.random.default_rng(5)


def close(found, expected):
    assert found.as_json() == pytest.approx(expected.as_json(), rel=1e-9)


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_it_is_the_estimate_of_the_metric(generator, decimals):
    labels, patients = generator.integers(0, 2, 150), generator.integers(0, 60, 150)
    scores = np.round(generator.normal(size=150) + labels, decimals)
    found = auroc_estimate(labels, scores, patients, generator=seeded(), n_resamples=300)
    close(found, estimate(auroc, labels, scores, patients, generator=seeded(), n_resamples=300))


def test_of_more_classes_too(generator):
    labels, patients = generator.integers(0, 4, 120), np.arange(120) // 3
    table = generator.random((120, 4)) + np.eye(4)[labels] / 2
    found = auroc_estimate(labels, table, patients, generator=seeded(), n_resamples=200)
    close(found, estimate(auroc, labels, table, patients, generator=seeded(), n_resamples=200))


def test_two_columns_are_one_question(generator):
    labels, told = generator.integers(0, 2, 40), generator.random(40)
    table = np.stack([1 - told, told], axis=1)
    one = auroc_estimate(labels, told, range(40), generator=seeded(), n_resamples=50)
    assert auroc_estimate(labels, table, range(40), generator=seeded(), n_resamples=50) == one


def test_differences_are_paired(generator):
    labels, patients = generator.integers(0, 2, 100), np.arange(100) // 2
    first, second = generator.normal(size=(2, 100)) + labels * np.array([[1.5], [0.8]])
    found = auroc_difference(labels, first, second, patients, generator=seeded())
    close(found, paired_difference(auroc, labels, first, second, patients, generator=seeded()))


def test_one_class_one_patient_and_no_scans_are_undefined():
    for given in (([1, 1], [0.1, 0.2], "ab"), ([], [], [])):
        found = auroc_estimate(*given, generator=seeded())
        assert (found.value, found.low, found.high) == (None, None, None)
    alone = auroc_estimate([0, 1], [0.1, 0.2], "aa", generator=seeded())
    assert (alone.value, alone.low) == (1, None)


def test_a_hundred_thousand_scans_take_under_a_second_for_five_hundred_resamples(generator):
    labels = generator.integers(0, 2, 100_000)
    scores = generator.normal(size=100_000) + labels
    patients = np.arange(100_000) // 5
    start = time.thread_time()  # not the wall clock: other tests run beside this one
    found = auroc_estimate(labels, scores, patients, generator=generator, n_resamples=500)
    assert time.thread_time() - start < 1
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("labels", "scores", "patients", "code"),
    [
        ([0, 1], [0.1], "ab", "E_LENGTHS"),
        ([0, 1], [0.1, 0.2], "abc", "E_LENGTHS"),
        ([0, 1], [0.1, np.nan], "ab", "E_SCORES"),
        ([0, 2], [0.1, 0.2], "ab", "E_LABELS"),
        ([0, 1], [0.1, 0.2], ["a", None], "E_PATIENT"),
    ],
)
def test_unusable_input_is_refused_by_code(labels, scores, patients, code):
    with pytest.raises(StopError) as caught:
        auroc_estimate(labels, scores, patients, generator=seeded())
    assert caught.value.code == code
