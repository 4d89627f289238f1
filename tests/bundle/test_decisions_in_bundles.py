"""Calibrations, sets, risk and target come back from a bundle, and decide as they did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from bundle_models import RECIPES, bars, model_of, rewrite, saved

from latentdx.bundle.load import load_bundle
from latentdx.core.errors import IntegrityError
from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.calibrations import CALIBRATIONS, CalibrationName, name_of
from latentdx.diagnosis.head import score_pixels
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.set_rule import SetRule, group_key
from latentdx.scans.scan import Scan

BY_SEX = SetRule("mondrian", (0.3,), 0.8, "sex", {group_key("F"): 0.999, group_key("M"): 0.0}, 1)


def same(first: DiagnosticModel, second: DiagnosticModel, n_classes: int) -> None:
    pixels = bars(12, n_classes=n_classes, seed=5).pixels
    for groups in (None, ["F", "M", ""] * 4):
        before, after = first.compute(pixels, groups), second.compute(pixels, groups)
        np.testing.assert_array_equal(before.probabilities, after.probabilities)
        np.testing.assert_array_equal(before.decisions, after.decisions)
        np.testing.assert_array_equal(before.sets, after.sets)


@pytest.mark.parametrize("name", get_args(CalibrationName))
@pytest.mark.parametrize("recipe", [RECIPES[0], RECIPES[2]], ids=["two", "three"])
def test_a_calibration_comes_back(name: CalibrationName, recipe: Any, tmp_path: Path) -> None:
    model = model_of(recipe)
    scans = bars(40, n_classes=recipe.n_classes, seed=9)
    scores = score_pixels(model.head, scans.pixels, model.extract, flip=True)
    head = model.head.calibrated(scores, scans.labels, CALIBRATIONS[name].fit(scores, scans.labels))
    model = replace(model, head=head)
    saved(model, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.head.calibration is not None
    assert name_of(loaded.head.calibration) == name
    same(model, loaded, recipe.n_classes)


@pytest.mark.parametrize(
    "rule", [SetRule("marginal", (0.25,), 0.95), SetRule("class-conditional", (0.9, 0.1)), BY_SEX]
)
def test_sets_come_back(rule: SetRule, tmp_path: Path) -> None:
    model = replace(model_of(RECIPES[0]), sets=rule)
    saved(model, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.sets == rule
    same(model, loaded, 2)


def test_a_risk_and_a_target_come_back(tmp_path: Path) -> None:
    model = model_of(RECIPES[0])
    risk = RiskControl(0.05, 0.9, 0.8125, 100, 70, 1)
    head = replace(model.head, threshold=0.3, threshold_target="a sensitivity of at least 0.9")
    saved(replace(model, head=head, risk=risk), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.risk == risk
    assert (loaded.head.threshold, loaded.head.threshold_target) == (0.3, head.threshold_target)


def a_scan(row: int, **covariates: str) -> Scan:
    pixels = bars(8, seed=7).pixels[row]
    return Scan(pixels, (16, 16), content_hash=f"{row:064}", covariates=covariates)


def test_a_scan_s_own_file_tells_its_group() -> None:
    """Of one group nothing but the decided class is in, of the other and of strangers all are."""
    model = replace(model_of(RECIPES[0]), sets=BY_SEX)
    scans = [a_scan(1, sex="F"), a_scan(1, sex="M"), a_scan(1), a_scan(1, sex="O")]
    sizes = [len(found.prediction_set) for found in model.predict(scans)]
    assert sizes == [1, 2, 2, 2]


def test_abstaining_by_risk_goes_by_confidence_and_not_by_the_set() -> None:
    every = SetRule("marginal", (0.0,))
    scan = a_scan(1)
    model = replace(model_of(RECIPES[0]), sets=every)
    (plain,) = model.predict([scan])
    assert plain.label is not None
    assert plain.probabilities is not None
    sure = plain.probabilities[plain.label]
    for cutoff, status in ((sure - 0.01, "ok"), (sure + 0.01, "abstained"), (None, "abstained")):
        rule = RiskControl(0.1, 0.9, cutoff, 50, 40, 0)
        (found,) = replace(model, risk=rule).predict([scan], abstain=True)
        assert found.status == status
        if found.reason is not None:
            assert found.reason.code == ("A_AMBIGUOUS" if cutoff is None else "A_RISK")
        assert replace(model, risk=rule).predict([scan])[0].status == "ok"


@pytest.mark.parametrize(
    "changes",
    [
        {"head__calibration": "platt"},
        {"head__calibration": "beta"},
        {"head__sets": {"kind": "class-conditional", "cutoffs": [0.1, 0.2, 0.3]}},
        {"head__sets": {"kind": "class-conditional", "cutoffs": []}},
        {"head__sets": {"kind": "mondrian", "cutoffs": [0.1], "groups": {"x": 2.0}}},
        {"head__risk": {"risk": 0.1}},
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    saved(model_of(RECIPES[0]), tmp_path / "bundle")
    rewrite(tmp_path / "bundle", **changes)
    with pytest.raises(IntegrityError) as caught:
        load_bundle(tmp_path / "bundle")
    assert caught.value.code == "E_MODEL_INTEGRITY"


def test_a_bundle_of_before_has_a_sigmoid_and_marginal_sets(tmp_path: Path) -> None:
    saved(model_of(RECIPES[0]), tmp_path / "bundle")
    told = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    for name in ("calibration", "sets", "risk"):
        del told["head"][name]
    rewrite(tmp_path / "bundle", head=told["head"])
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.sets == model_of(RECIPES[0]).sets
    same(loaded, model_of(RECIPES[0]), 2)
