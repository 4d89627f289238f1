"""What is measured on the test part, computed again by hand on small arrays."""

from types import SimpleNamespace

import numpy as np
import pytest
from report_scans import binary, predictions_of, result_of, scans_of

from latentdx.report.abstention import abstention
from latentdx.report.evaluate import evaluate_test, reconstruction
from latentdx.report.predictions import as_json

SINGLE_NO, SINGLE_YES, BOTH, NEITHER = [1, 0], [0, 1], [1, 1], [0, 0]


def test_every_test_scan_is_scored_in_order():
    scans = scans_of([0, 1, 1])

    class Model:
        head = SimpleNamespace(ordered=False)

        def compute(self, pixels, groups, beside, cases):
            assert (beside, cases) == (None, None)
            assert pixels is scans.pixels
            assert groups is None
            return result_of(scans, [0.2, 0.7, 0.4]).outputs

    found = evaluate_test(Model(), scans)
    assert found.predictions.labels.tolist() == [0, 1, 1]
    assert found.predictions.probabilities.tolist() == binary([0.2, 0.7, 0.4]).tolist()
    assert found.predictions.decisions.tolist() == [0, 1, 0]
    assert found.predictions.patients.tolist() == scans.patients.tolist()


def test_abstention_by_hand():
    """Five scans: three answered, of which two are right; the true class is in four sets."""
    sets = [SINGLE_NO, SINGLE_NO, SINGLE_YES, BOTH, BOTH]
    found = abstention(result_of(scans_of([0, 1, 1, 0, 1]), [0.5] * 5, sets=sets), seed=0)
    assert found["target_coverage"] == 0.9
    assert found["coverage"]["value"] == pytest.approx(4 / 5)
    assert found["answered_fraction"]["value"] == pytest.approx(3 / 5)
    assert found["accuracy_when_answered"]["value"] == pytest.approx(2 / 3)
    assert found["coverage"]["n_scans"] == 5
    assert found["coverage"]["low"] <= 4 / 5 <= found["coverage"]["high"]


def test_an_empty_set_is_no_answer_and_covers_nothing():
    sets = [NEITHER, SINGLE_YES]
    found = abstention(result_of(scans_of([0, 1]), [0.5, 0.5], sets=sets), seed=0)
    assert found["coverage"]["value"] == 0.5
    assert found["answered_fraction"]["value"] == 0.5
    assert found["accuracy_when_answered"]["value"] == 1.0


def test_where_nothing_is_answered_there_is_no_accuracy():
    found = abstention(result_of(scans_of([0, 1]), [0.5, 0.5], sets=[BOTH, BOTH]), seed=0)
    assert found["answered_fraction"]["value"] == 0.0
    assert found["accuracy_when_answered"]["value"] is None


def test_reconstruction_by_hand():
    """Errors of .1 and .2 everywhere: squared .01 and .04, 20 and 13.98 dB."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.2, 0.6, (2, 1, 16, 16)).astype(np.float32)
    rebuilt = pixels + np.array([0.1, 0.2], np.float32)[:, None, None, None]
    scans = scans_of([0, 1], pixels=pixels)
    found = reconstruction(result_of(scans, [0.5, 0.5], rebuilt=rebuilt), seed=0)
    assert found["mse"]["value"] == pytest.approx(0.025, rel=1e-4)
    assert found["psnr"]["value"] == pytest.approx((20 - 10 * np.log10(0.04)) / 2, rel=1e-4)
    assert 0 < found["ssim"]["value"] < 1


def test_a_perfect_reconstruction():
    pixels = np.random.default_rng(0).random((2, 1, 16, 16)).astype(np.float32)
    found = reconstruction(result_of(scans_of([0, 1], pixels=pixels), [0.5, 0.5]), seed=0)
    assert found["mse"]["value"] == 0
    assert found["ssim"]["value"] == pytest.approx(1, abs=1e-5)


def test_predictions_as_json_and_the_paired_difference():
    labels = [0, 1] * 20
    good, bad = predictions_of(labels, labels), predictions_of(labels, 1 - np.array(labels))
    assert good.auroc_over(bad, seed=0).value == 1.0
    assert bad.auroc_over(good, seed=0).value == -1.0
    found = as_json(good.metrics(0, 50))
    assert found["auroc"] == {
        "value": 1.0, "low": 1.0, "high": 1.0, "n_scans": 40, "n_patients": 40,
    }  # fmt: skip
