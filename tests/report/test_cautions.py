"""Warnings of what the size of the test part lets nobody know."""

import doctest

import numpy as np
import pytest
from report_scans import predictions_of
from scipy.stats import binom

from latentdx.report import cautions as module
from latentdx.report.cautions import few_patients, most_missed, size_warnings, wide_intervals
from latentdx.report.predictions import as_json

CLASSES = ("benign", "malignant")


def warned(labels, scores, patients=None):
    predictions = predictions_of(labels, scores, patients)
    return size_warnings(predictions, CLASSES, as_json(predictions.metrics(0, 500)))


def overlapping(n_negative, n_positive, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [n_negative, n_positive])
    noise = generator.normal(size=len(labels))
    return labels, 1 / (1 + np.exp(-noise - 1.5 * (labels - 0.5)))


@pytest.mark.parametrize(("count", "words"), [(9, "say next to nothing"), (10, "are rough")])
def test_few_patients_of_a_class_are_warned_of_by_how_few(count, words):
    found = [text for text in warned(*overlapping(40, count)) if "only" in text]
    assert found == [f"the test part has only {count} patients of 'malignant': its numbers {words}"]


def test_patients_count_and_not_scans():
    labels, scores = overlapping(100, 100)
    patients = np.where(labels == 1, np.arange(200) % 12, np.arange(200)).astype(str)
    assert [text for text in warned(labels, scores, patients) if "12 patients" in text]
    assert not [text for text in warned(labels, scores) if "only" in text]


def test_wide_intervals_are_named_together():
    (found,) = [text for text in warned(*overlapping(12, 12)) if "wide" in text]
    assert "AUROC" in found
    assert "Sensitivity" in found
    assert not [text for text in warned(*overlapping(900, 900)) if "wide" in text]
    edge = {"auroc": {"low": 0.7, "high": 0.91}, "sensitivity": {"low": 0.5, "high": 0.7}}
    assert wide_intervals(edge) == [
        "wide intervals: AUROC (0.70–0.91) is known less exactly than to 0.2; more test patients "
        "are needed"
    ]
    assert wide_intervals({"auroc": {"low": None, "high": None}}) == []


def test_a_class_without_an_error_is_not_called_perfect():
    labels = np.repeat([0, 1], 30)
    found = warned(labels, np.where(np.arange(60) == 3, 0.9, labels))  # one false alarm
    assert [text for text in found if "decided wrongly" in text] == [
        "no scan of 'malignant' was decided wrongly: with 30 patients up to 10 % could be, and no "
        "interval of these scans shows it"
    ]


def test_an_auroc_of_one_is_not_called_sure():
    labels = np.repeat([0, 1], 8)
    sure = "the AUROC is 1 and its interval has no width: 16 patients cannot show how far below it"
    assert [text for text in warned(labels, labels * 0.2 + 0.1) if text.startswith(sure)]
    assert not [text for text in warned(*overlapping(40, 40)) if "no width" in text]


@pytest.mark.parametrize("count", [10, 30, 300])
def test_the_share_that_may_be_missed_is_where_seeing_none_has_five_percent(count):
    assert binom.pmf(0, count, most_missed(count)) == pytest.approx(0.05)


def test_enough_patients_are_nothing_to_say():
    assert few_patients(20, "of 'x'") == ""
    assert few_patients(1, "of 'x'").startswith("the test part has only 1 patient of")


def test_the_examples_in_the_docstrings_run():
    found = doctest.testmod(module)
    assert found.attempted > 2
    assert found.failed == 0
