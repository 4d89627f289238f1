"""What is measured on the test part, computed again by hand on small arrays."""

from types import SimpleNamespace

import numpy as np
import pytest
from report_scans import binary, predictions_of, result_of, scans_of, table_for
from sklearn.metrics import roc_auc_score

from latentdx.report.abstention import abstention
from latentdx.report.evaluate import evaluate_test, reconstruction, subgroups
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


def test_subgroups_by_hand():
    """North 25 scans, south 30 of two a patient, east too few; five scans of no known site."""
    rng = np.random.default_rng(0)
    sites = ["north"] * 25 + ["south"] * 30 + ["east"] * 19 + [None] * 5
    labels = rng.integers(0, 2, len(sites))
    scores = np.clip(0.4 * labels + rng.uniform(0, 0.6, len(sites)), 0, 1)
    patients = [f"s{i // 2}" if site == "south" else f"p{i}" for i, site in enumerate(sites)]
    scans = scans_of(labels, patients=patients)
    found = subgroups(result_of(scans, scores), table_for(scans, site=sites), seed=0)
    by_value = {item["value"]: item for item in found}
    assert set(by_value) == {"north", "south"}
    assert {item["column"] for item in found} == {"site"}
    for value, rows in (("north", slice(0, 25)), ("south", slice(25, 55))):
        expected = roc_auc_score(labels[rows], scores[rows])
        assert by_value[value]["auroc"]["value"] == pytest.approx(expected)
    assert by_value["south"]["n_scans"] == 30
    assert by_value["south"]["n_patients"] == len(set(patients[25:55]))


def test_the_table_may_hold_other_scans_in_another_order():
    sites = (["a"] * 20 + ["b"] * 20) * 2
    scans = scans_of([0, 1] * 40)
    table = table_for(scans, site=sites)
    scores = np.linspace(0, 1, 80)
    tested = scans.take(np.arange(40))
    whole = subgroups(result_of(tested, scores[:40]), table, seed=0)
    turned = subgroups(result_of(tested, scores[:40]), table.take(np.arange(80)[::-1]), seed=0)
    assert whole == turned
    assert [item["n_scans"] for item in whole] == [20, 20]


def test_a_column_of_one_value_or_of_many_is_no_grouping():
    scans = scans_of([0, 1] * 100)
    covariates = [{"ward": f"w{i % 9}", "scanner": "one"} for i in range(200)]
    table = table_for(scans, covariates=covariates)
    assert subgroups(result_of(scans, np.full(200, 0.5)), table, seed=0) == []


def test_predictions_as_json_and_the_paired_difference():
    labels = [0, 1] * 20
    good, bad = predictions_of(labels, labels), predictions_of(labels, 1 - np.array(labels))
    assert good.auroc_over(bad, seed=0).value == 1.0
    assert bad.auroc_over(good, seed=0).value == -1.0
    found = as_json(good.metrics(0, 50))
    assert found["auroc"] == {
        "value": 1.0, "low": 1.0, "high": 1.0, "n_scans": 40, "n_patients": 40,
    }  # fmt: skip
