"""Rules come back from a bundle and hold back scans of every kind of model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bundle_models import RECIPES, bars, model_of, rewrite, saved
from finding_models import findings_model, pictures
from test_values_in_bundles import model_of as value_model

from latentdx.bundle.load import load_bundle
from latentdx.core.errors import IntegrityError
from latentdx.diagnosis.rules import Rule
from latentdx.scans.scan import Scan

RULES = (
    Rule(text="infants were never seen", when={"age": "< 1"}),
    Rule(text="of another view", when={"view": ["AP", "LL"]}, if_unknown="abstain"),
)


def a_scan(row: int, patient: str = "", **told: str) -> Scan:
    pixels = bars(6, seed=7).pixels[row]
    identity = {"patient": patient or None, "content_hash": f"{row:064x}"}
    return Scan(pixels, pixels.shape[1:], covariates=told, **identity)


def test_they_come_back_and_hold_back(tmp_path: Path) -> None:
    model = model_of(RECIPES[0])
    saved(replace(model, rules=RULES), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.rules == RULES
    scans = [a_scan(0, age="006M", view="PA"), a_scan(0, age="40", view="PA"), a_scan(0, age="40")]
    infant, grown, unknown = loaded.predict(scans)
    free = model.predict(scans)[0]
    assert (infant.status, infant.label) == ("abstained", None)
    assert (infant.reason.code, infant.reason.text) == ("A_RULE", "infants were never seen")
    assert infant.probabilities == free.probabilities
    assert (grown.status, grown.label, grown.reason) == ("ok", free.label, None)
    assert unknown.reason.text == "of another view (view not known)"
    assert infant.as_json()["reason"] == {"code": "A_RULE", "text": "infants were never seen"}


def test_one_scan_of_a_patient_is_enough() -> None:
    model = replace(model_of(RECIPES[0]), rules=RULES, decide_by="patient")
    scans = [a_scan(0, "a", age="30", view="PA"), a_scan(1, "a", age="30", view="LL"),
             a_scan(2, "b", age="30", view="PA")]  # fmt: skip
    first, second = model.predict(scans)
    assert (first.status, first.reason.text, first.label) == ("abstained", "of another view", None)
    assert (second.status, second.reason) == ("ok", None)


def test_models_of_other_tasks(tmp_path: Path) -> None:
    of_findings, of_numbers = findings_model(), value_model("svm")
    pixels = pictures(4, seed=3).scans.pixels
    for model, scan in ((of_findings, pixels[1]), (of_numbers, bars(6, seed=7).pixels[0])):
        saved(replace(model, rules=RULES), tmp_path / "bundle")
        told = [{"age": "0", "view": "PA"}, {"age": "40", "view": "PA"}]
        scans = [Scan(scan, scan.shape[1:], covariates=each) for each in told]
        infant, grown = load_bundle(tmp_path / "bundle").predict(scans)
        assert (infant.status, infant.label, infant.value) == ("abstained", None, None)
        assert infant.reason.code == "A_RULE"
        assert grown.status == "ok"
        assert (grown.label, grown.value) != (None, None)


def test_a_rule_that_cannot_be_is_refused(tmp_path: Path) -> None:
    saved(replace(model_of(RECIPES[0]), rules=RULES), tmp_path / "bundle")
    rewrite(tmp_path / "bundle", rules=[{"text": "a", "when": {"age": "< one"}}])
    with pytest.raises(IntegrityError) as caught:
        load_bundle(tmp_path / "bundle")
    assert caught.value.code == "E_MODEL_INTEGRITY"
