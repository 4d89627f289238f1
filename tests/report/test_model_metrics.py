"""What ``metrics.json`` says of a model, and how the page shows it."""

import doctest

import numpy as np
import pytest
from report_content import binary_content, three_class_content
from report_scans import predictions_of

from latentdx.metrics.further import further_names
from latentdx.metrics.net_benefit import THRESHOLDS
from latentdx.metrics.summary import NAMES
from latentdx.report import further_words
from latentdx.report.decision_figure import decision_curve
from latentdx.report.further_words import FURTHER_TITLES, further_titles
from latentdx.report.model_metrics import finding_metrics, model_metrics
from latentdx.report.page import render
from latentdx.report.predictions import Predictions

FIELDS = {"value", "low", "high", "n_scans", "n_patients"}


@pytest.fixture(scope="module")
def binary():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 120)
    scores = 1 / (1 + np.exp(-generator.normal(size=120) - 2 * (labels - 0.5)))
    return predictions_of(labels, scores, [f"p{i // 2}" for i in range(120)])


@pytest.fixture(scope="module")
def told(binary):
    return model_metrics(binary, 0, None)


def test_every_metric_has_the_five_fields_and_the_old_names_come_first(told):
    assert list(told["test"]) == [*NAMES, *further_names(2)]
    assert all(set(each) == FIELDS for each in told["test"].values())
    assert told["test"]["auroc"]["n_patients"] == 60
    points = told["decision_curve"]
    assert [point["threshold"] for point in points] == list(THRESHOLDS)
    assert all(
        set(point[name]) == FIELDS for point in points for name in ("model", "treat_all", "gain")
    )


def test_the_prevalence_is_that_of_the_scans_unless_it_is_given(binary, told):
    share = float((binary.labels == 1).mean())
    assert told["prevalence"] == {"value": share, "source": "of the test part"}
    assert told["test"]["ppv_at_prevalence"]["value"] == pytest.approx(told["test"]["ppv"]["value"])
    rare = model_metrics(binary, 0, 0.02)
    assert rare["prevalence"] == {"value": 0.02, "source": "given"}
    assert rare["test"]["ppv_at_prevalence"]["value"] < told["test"]["ppv"]["value"] / 3
    same = [name for name in told["test"] if not name.endswith("at_prevalence")]
    assert all(rare["test"][name] == told["test"][name] for name in same)


def test_of_three_classes_there_is_no_prevalence_and_no_curve():
    generator = np.random.default_rng(0)
    labels, table = generator.integers(0, 3, 60), generator.dirichlet(np.ones(3), 60)
    names = np.array([f"p{i}" for i in range(60)])
    found = model_metrics(Predictions(labels, names, table, table.argmax(axis=1)), 0, None)
    assert set(found) == {"test"}
    assert list(found["test"]) == [*NAMES, *further_names(3)]


def test_a_finding_has_them_all(binary):
    assert list(finding_metrics(binary, 0)) == [*NAMES, *further_names(2)]


def test_every_name_has_a_title():
    assert set(FURTHER_TITLES) == set(further_names(2))
    assert doctest.testmod(further_words).failed == 0


def with_further(content, told):
    metrics = {**content.metrics, **told, "test": {**content.metrics["test"], **told["test"]}}
    return {"metrics": metrics}


def test_the_page_shows_them_and_the_decision_curve(told):
    content = binary_content()
    page = render(binary_content(**with_further(content, told)))
    for title in further_titles(with_further(content, told)["metrics"]).values():
        assert title in page
    assert f"at a prevalence of {100 * told['prevalence']['value']:.3g} %" in page
    assert "Is it worth acting by?" in page
    assert "Decision curve: net benefit by threshold" in page
    assert "treat none" in page


def test_a_page_without_them_leaves_the_figure_out():
    for content in (binary_content(), three_class_content()):
        page = render(content)
        assert "Is it worth acting by?" not in page
        assert "Matthews" not in page


def test_the_curve_is_drawn_from_numbers_and_gaps(told):
    points = [dict(point) for point in told["decision_curve"]]
    whole = decision_curve(points, "malignant")
    assert whole.startswith("<svg")
    assert "this model" in whole
    points[4]["model"] = dict.fromkeys(FIELDS)
    assert decision_curve(points, "malignant") != whole
    assert decision_curve(None, "malignant") == ""
    assert decision_curve([], "malignant") == ""
