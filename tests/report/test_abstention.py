"""Coverage by class and group, and the risk among answers, computed again by hand."""

import numpy as np
import pytest
from report_scans import result_of, scans_of

from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.calibrate import SigmoidCalibration
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.set_rule import SetRule, group_key
from latentdx.report.abstention import abstention_of
from latentdx.report.decided import how_it_decides


def a_model(sets, risk=None, target="balanced accuracy"):
    """All that is asked of a model here is how it decides."""
    sigmoid = SigmoidCalibration(np.ones(1), np.zeros(1))
    head = Head("svm", 1.0, None, None, None, sigmoid, 0.5, target)
    return DiagnosticModel(None, head, ("no", "yes"), "pooled", True, sets, None, risk=risk)


def test_by_class():
    sets = [[1, 0], [0, 1], [1, 1], [1, 0], [0, 1]]
    result = result_of(scans_of([0, 0, 1, 1, 1]), [0.5] * 5, sets=sets)
    found = abstention_of(a_model(SetRule("class-conditional", (0.3, 0.2), 0.8)), result, None, 0)
    assert (found["target_coverage"], found["sets"]) == (0.8, "class-conditional")
    shares = {name: of["value"] for name, of in found["coverage_by_class"].items()}
    assert shares == {"no": 0.5, "yes": pytest.approx(2 / 3)}
    assert found["coverage_by_class"]["yes"]["n_scans"] == 3
    assert "risk" not in found
    assert "coverage_by_group" not in found


def test_by_group_with_twenty_scans_or_more():
    labels = [0] * 45
    sets = [[1, 0]] * 22 + [[0, 1]] * 3 + [[1, 1]] * 20
    groups = ["a"] * 24 + ["b"] + [""] * 20
    rule = SetRule("mondrian", (0.3,), 0.9, "site", {group_key("a"): 0.2}, 0)
    found = abstention_of(
        a_model(rule), result_of(scans_of(labels), [0.5] * 45, sets=sets), groups, 0
    )
    (one,) = found["coverage_by_group"]
    assert one["value"] == "a"
    assert one["coverage"]["value"] == pytest.approx(22 / 24)
    assert one["coverage"]["n_scans"] == 24


def test_the_risk_among_answers():
    result = result_of(scans_of([0, 0, 1, 1]), [0.1, 0.8, 0.9, 0.6])
    risk = RiskControl(0.2, 0.9, 0.75, 50, 40, 2)
    found = abstention_of(a_model(SetRule("marginal", (0.1,)), risk), result, None, 0)["risk"]
    assert found["answered_fraction"]["value"] == 0.75
    assert found["error_when_answered"]["value"] == pytest.approx(1 / 3)
    assert (found["reached"], found["cutoff"], found["target"]) == (True, 0.75, 0.2)
    assert found["tune"] == {"n_patients": 50, "n_answered": 40, "n_wrong": 2}


def test_sentences_tell_what_is_promised_and_name_no_covariate():
    rule = SetRule("mondrian", (0.3,), 0.95, "Smith ward", {"x": 0.2, "y": 0.3}, 1)
    risk = RiskControl(0.05, 0.9, None, 30, 0, 0)
    told = " ".join(how_it_decides(a_model(rule, risk, "a sensitivity of at least 0.95")))
    assert "sigmoid calibration" in told
    assert "targets a sensitivity of at least 0.95" in told
    assert "95 % of each group" in told
    assert "1 of the groups had too few scans" in told
    assert "nothing is promised" in told
    assert "Smith" not in told
    kept = how_it_decides(
        a_model(SetRule("marginal", (0.1,)), RiskControl(0.05, 0.9, 0.9, 99, 80, 1))
    )
    assert "from a confidence of 0.900" in kept[-1]
    assert "90 % of all scans" in kept[-2]
