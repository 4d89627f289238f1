"""A model that decides by study: pooled scores, one answer a study, and what is left out of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bundle_models import RECIPES, bars, model_of, rewrite, saved

from latentdx.bundle.load import load_bundle
from latentdx.collection.cases import Cases
from latentdx.collection.columns import as_stored
from latentdx.core.errors import IntegrityError
from latentdx.diagnosis.case_diagnoses import decide_cases, glances
from latentdx.diagnosis.head import HeadSettings, score_scans, train_head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.report.evaluate import evaluate_test
from latentdx.scans.scan import Scan

STUDIES = ("S1", "S2", "S1", "S3", "S2", "S1")


@cache
def by_study() -> DiagnosticModel:
    return replace(model_of(RECIPES[0]), decide_by="study")


def a_scan(row: int, study: str | None, *, modality: str = "CR") -> Scan:
    pixels = as_stored(bars(6, seed=7).pixels)[row]
    return Scan(
        pixels, pixels.shape[1:], content_hash=f"{row:016x}" + "0" * 48, patient="P", study=study,
        modality=modality,
    )  # fmt: skip


def test_scores_are_pooled_before_they_are_calibrated() -> None:
    scans = replace(bars(24, seed=3), cases=np.array([f"C{row % 8}" for row in range(24)]))
    model = by_study()
    single = score_scans(model.head, replace(scans, cases=None), model.extract, flip=True)
    pooled = score_scans(model.head, scans, model.extract, flip=True)
    np.testing.assert_allclose(pooled, single.reshape(3, 8, 1).mean(axis=0), rtol=1e-5)
    train = bars(48, seed=48)
    calibrate = replace(bars(30, seed=30), cases=np.array([f"C{row % 10}" for row in range(30)]))
    settings = HeadSettings(rows=100, components=8)
    heads = [
        train_head(train, part, model.extract, settings, seed=0)
        for part in (calibrate, replace(calibrate, cases=None))
    ]
    np.testing.assert_array_equal(heads[0].machine.vectors, heads[1].machine.vectors)
    assert heads[0].calibration != heads[1].calibration


def test_evaluation_counts_cases() -> None:
    scans = bars(24, seed=3)
    cases = np.array([f"C{row % 8}" for row in range(24)])  # eight, of one label each
    result = evaluate_test(by_study(), replace(scans, cases=cases))
    assert len(result.scans) == len(result.predictions.labels) == 8
    assert result.outputs.probabilities.shape == (8, 2)
    assert result.outputs.reconstructions.shape == result.scans.pixels.shape
    alone = evaluate_test(by_study(), scans).outputs
    np.testing.assert_allclose(result.outputs.anomaly, alone.anomaly.reshape(3, 8).max(axis=0))
    assert result.predictions.metrics(0, 20)["auroc"].n_scans == 8


def test_one_answer_a_study_with_its_paths() -> None:
    scans = [a_scan(row, study) for row, study in enumerate(STUDIES)]
    found = by_study().predict(scans)
    assert [item.scan_id for item in found] == [f"{row:016x}" for row in (0, 1, 3)]
    assert len({item.case for item in found}) == 3
    outputs = by_study().compute(
        np.stack([scan.pixels for scan in scans]), None, None, Cases.of(STUDIES)
    )
    for row, item in enumerate(found):
        assert item.status == "ok"
        assert item.probabilities is not None
        assert list(item.probabilities.values()) == pytest.approx(
            outputs.probabilities[row].tolist(), abs=1e-5
        )
    told = decide_cases(by_study(), glances(by_study(), list("abcdef"), scans))
    assert [item.as_json()["paths"] for item in told] == [["a", "c", "f"], ["b", "e"], ["d"]]
    assert [item.path for item in told] == ["a", "b", "d"]
    assert told[0].as_json()["left_out"] == []


def test_scans_of_another_kind_are_left_out_and_named() -> None:
    odd = a_scan(1, "S1", modality="MR")
    seen = glances(by_study(), ["a", "b"], [a_scan(0, "S1"), odd])
    [found] = decide_cases(by_study(), seen)
    assert (found.status, found.paths, found.left_out) == ("ok", ("a",), ("b",))
    [alone] = decide_cases(by_study(), glances(by_study(), ["a"], [a_scan(0, "S1")]))
    assert found.probabilities == alone.probabilities
    [none] = decide_cases(by_study(), seen[1:])
    assert none.status == "not_evaluated"
    assert none.reason is not None
    assert none.as_json()["paths"] == []


def test_scans_without_a_study_are_answered_for_alone(tmp_path: Path) -> None:
    seen = glances(by_study(), ["a", "b"], [a_scan(0, None), a_scan(1, None)])
    assert [item.paths for item in decide_cases(by_study(), seen)] == [("a",), ("b",)]
    missing = by_study().predict([tmp_path / "not there.png", a_scan(0, "S1")])
    assert [item.status for item in missing] == ["quarantined", "ok"]


def test_the_bundle_says_what_is_decided(tmp_path: Path) -> None:
    saved(by_study(), tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").decide_by == "study"
    rewrite(tmp_path / "bundle", head__decide_by="hospital")
    with pytest.raises(IntegrityError, match="decide_by"):
        load_bundle(tmp_path / "bundle")
    assert "paths" not in model_of(RECIPES[0]).predict([a_scan(0, "S1")])[0].as_json()


@cache
def weighing() -> DiagnosticModel:
    """A model that weighs the scans of a study by attention."""
    model = by_study()
    train, calibrate = (
        replace(bars(count, seed=count), cases=np.array([f"C{row % 12}" for row in range(count)]))
        for count in (48, 36)
    )
    settings = HeadSettings(rows=100, components=8, pool="attention")
    return replace(model, head=train_head(train, calibrate, model.extract, settings, seed=0))


def test_attention_goes_into_a_bundle_and_comes_out_alike(tmp_path: Path) -> None:
    scans = [a_scan(row, study) for row, study in enumerate(STUDIES)]
    saved(weighing(), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert isinstance(loaded, DiagnosticModel)
    before, after = (
        decide_cases(model, glances(model, list("abcdef"), scans)) for model in (weighing(), loaded)
    )
    for item, same in zip(before, after, strict=True):
        told = same.as_json()
        assert told["probabilities"] == pytest.approx(item.as_json()["probabilities"], abs=1e-6)
        assert told["weights"] == item.as_json()["weights"]
        assert len(told["weights"]) == len(told["paths"])
        assert sum(told["weights"]) == pytest.approx(1, abs=1e-5)
    assert after[0].as_json()["weights"] != [pytest.approx(1 / 3)] * 3
    assert after[2].as_json()["weights"] == [1.0]  # a study of one scan
    assert "weights" not in by_study().predict(scans)[0].as_json()


def test_what_is_weighed_in_evaluation_is_weighed_in_prediction() -> None:
    scans = [a_scan(row, study) for row, study in enumerate(STUDIES)]
    pixels = np.stack([scan.pixels for scan in scans])
    outputs = weighing().compute(pixels, None, None, Cases.of(STUDIES))
    told = weighing().predict(scans)
    assert outputs.importance is not None
    assert outputs.importance.shape == (6,)
    for row, item in enumerate(told):
        assert item.probabilities is not None
        shown = list(item.probabilities.values())
        assert shown == pytest.approx(outputs.probabilities[row].tolist(), abs=1e-5)
    weights = Cases.of(STUDIES).weights(outputs.importance)
    assert told[0].weights == pytest.approx(weights[[0, 2, 5]].tolist(), abs=1e-4)


def test_attention_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    saved(weighing(), tmp_path / "bundle")
    rewrite(tmp_path / "bundle", head__pool="median")
    with pytest.raises(IntegrityError, match="pool"):
        load_bundle(tmp_path / "bundle")
    saved(by_study(), tmp_path / "bundle")
    rewrite(tmp_path / "bundle", head__pool="attention")  # whose arrays are not there
    with pytest.raises(IntegrityError, match="do not fit"):
        load_bundle(tmp_path / "bundle")
    torn = replace(weighing().head.attention, mix=np.zeros(3, np.float32))
    saved(replace(weighing(), head=replace(weighing().head, attention=torn)), tmp_path / "bundle")
    with pytest.raises(IntegrityError, match="do not fit"):
        load_bundle(tmp_path / "bundle")
