"""One sentence, which is right about who was better and whether that can be told."""

import numpy as np
import pytest
from report_scans import predictions_of

from latentdx.report.verdict import FEWEST_PATIENTS, verdict

LABELS = np.arange(120) % 2
PERFECT = LABELS.astype(float)
RANDOM = np.random.default_rng(3).uniform(0, 1, 120)


def scored(scores):
    return predictions_of(LABELS, scores)


def test_better():
    said = verdict(scored(PERFECT), {"hog-svm": scored(RANDOM)}, seed=0)
    assert said.startswith("The autoencoder was worth it: the strongest baseline is HOG")
    assert "against 1.000" in said
    assert "120 scans of 120 patients" in said


def test_worse():
    said = verdict(scored(RANDOM), {"metadata": scored(PERFECT)}, seed=0)
    assert said.startswith("The autoencoder was not worth it: the strongest baseline is metadata")
    assert "AUROC 1.000" in said
    assert "the difference is -0." in said


def test_undecided():
    said = verdict(scored(RANDOM), {"untrained-encoder": scored(RANDOM)}, seed=0)
    assert said.startswith("The autoencoder cannot be told apart from a simpler baseline")
    assert "the difference is +0.000" in said


def test_it_is_held_against_the_strongest():
    rivals = {
        "majority": scored(np.full(120, 0.5)),
        "pixels-pca-svm": scored(0.6 * PERFECT + 0.4 * RANDOM),
        "hog-svm": scored(RANDOM),
    }
    said = verdict(scored(PERFECT), rivals, seed=0)
    assert "the strongest baseline is raw pixels with the same classifier" in said
    assert not said.startswith("The autoencoder was worth it")


def test_the_same_model_without_covariates_is_no_rival_of_the_autoencoder():
    rivals = {"without-covariates": scored(PERFECT), "hog-svm": scored(RANDOM)}
    said = verdict(scored(PERFECT), rivals, seed=0)
    assert said.startswith("The autoencoder was worth it: the strongest baseline is HOG")


def test_many_scans_of_few_patients_do_not_decide():
    """Better on each of many scans, but they are a handful of patients': nothing can be told."""
    patients = [f"p{number % (FEWEST_PATIENTS - 2)}" for number in range(120)]
    model = predictions_of(LABELS, PERFECT, patients)
    rival = predictions_of(LABELS, RANDOM, patients)
    said = verdict(model, {"hog-svm": rival}, seed=0)
    assert said.startswith("No verdict, the test part has too few patients: the strongest")


@pytest.mark.parametrize("rivals", [{}, {"hog-svm": predictions_of([1] * 9, [0.4] * 9)}])
def test_nothing_to_compare(rivals):
    model = predictions_of([1] * 9, [0.5] * 9)
    assert verdict(model, rivals, seed=0).startswith("No verdict")
