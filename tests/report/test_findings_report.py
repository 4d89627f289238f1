"""Numbers and page of several findings: means over findings, each finding, nothing unescaped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from test_page import HOSTILE, Reader

from latentdx.collection.finding_scans import FindingScans
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.table import ScanRow, table_of
from latentdx.diagnosis.head import HeadSettings
from latentdx.metrics.summary import NAMES
from latentdx.report.findings_card import findings_section
from latentdx.report.findings_content import FindingExamples, FindingsContent
from latentdx.report.findings_page import render_findings
from latentdx.report.findings_predictions import FindingPredictions
from latentdx.report.findings_rivals import FindingRivals
from latentdx.report.model_card import render_card
from latentdx.report.predictions import Predictions, as_json
from latentdx.report.verdict import verdict

LETTERS = ("edema", "mass", "nodule")


def predictions(apart: float, seed: int, n_scans: int = 120) -> FindingPredictions:
    """Scores that tell each of three findings, the first best."""
    truth = np.random.default_rng(0).random((n_scans, 3)) < (0.5, 0.3, 0.2)
    generator = np.random.default_rng(seed)
    patients = np.array([f"P{row // 2}" for row in range(n_scans)])
    found = {}
    for k, name in enumerate(LETTERS):
        score = apart * truth[:, k] / (k + 1) + generator.normal(size=n_scans)
        p = 1 / (1 + np.exp(-score))
        decided = (p > 0.6).astype(int)
        table = np.stack([1 - p, p], axis=1)
        found[name] = Predictions(truth[:, k].astype(int), patients, table, decided)
    return FindingPredictions(found)


def test_metrics_are_means_over_findings() -> None:
    said = predictions(2.0, 1)
    found, each = said.metrics(0, 50), said.by_finding(0, 50)
    assert set(found) == set(NAMES)
    parts = said.each.values()
    areas = [roc_auc_score(one.labels, one.probabilities[:, 1]) for one in parts]
    precisions = [average_precision_score(one.labels, one.probabilities[:, 1]) for one in parts]
    assert found["auroc"].value == pytest.approx(np.mean(areas), abs=1e-12)
    assert found["average_precision"].value == pytest.approx(np.mean(precisions), abs=1e-12)
    for name in NAMES:
        values = [each[finding][name].value for finding in LETTERS]
        assert found[name].value == pytest.approx(np.mean(values), abs=1e-12)
    assert (found["auroc"].n_scans, found["auroc"].n_patients) == (120, 60)
    widths = [each[name]["auroc"].high - each[name]["auroc"].low for name in LETTERS]
    assert found["auroc"].high - found["auroc"].low < max(widths)


def test_the_interval_is_over_patients_not_over_answers() -> None:
    said = predictions(2.0, 1)
    one = said.each["edema"]
    thrice = FindingPredictions(dict.fromkeys(LETTERS, one))
    found, expected = (as_json(said.metrics(0, 200))["auroc"] for said in (thrice, one))
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_finding_that_test_lacks_has_no_number_nor_has_the_mean() -> None:
    said = predictions(2.0, 1)
    absent = replace(said.each["mass"], labels=np.zeros(120, int))
    found = FindingPredictions({**said.each, "mass": absent})
    assert found.metrics(0, 20)["auroc"].value is None
    assert found.by_finding(0, 20)["mass"]["auroc"].value is None
    assert found.by_finding(0, 20)["edema"]["auroc"].value is not None


def test_leads_and_verdict() -> None:
    good, poor = predictions(4.0, 1), predictions(0.5, 2)
    lead = good.lead_over(poor, 0)
    expected = good.metrics(0, 0)["auroc"].value - poor.metrics(0, 0)["auroc"].value
    assert lead.value == pytest.approx(expected, abs=1e-12)
    assert lead.low > 0
    sentence = verdict(good, {"hog-svm": poor}, 0)
    assert sentence.startswith("The autoencoder was worth it")
    assert "mean AUROC" in sentence
    half = good.take(np.arange(60))
    assert half.metrics(0, 0)["auroc"].n_scans == 60


def test_the_majority_baseline_asks_every_finding() -> None:
    parts = np.array(["train"] * 20 + ["test"] * 10)
    names = np.array([f"{row}" for row in range(30)])
    targets = np.stack([np.arange(30) % 3 == 0, np.arange(30) % 3 > 0], axis=1).astype(int)
    scans = LabelledScans(
        np.zeros((30, 1, 8, 8), np.float32), np.full(30, -1), names, names, parts, ("a", "b"), ""
    )
    rivals = FindingRivals(FindingScans(scans, targets, ("a", "b")), None, HeadSettings(), 0)
    found = rivals.majority().each
    for name, number, decided in (("a", 0, 0), ("b", 1, 1)):
        assert found[name].labels.tolist() == targets[20:, number].tolist()
        assert found[name].decisions.tolist() == [decided] * 10
        np.testing.assert_allclose(found[name].probabilities[:, 1], targets[:20, number].mean())


def test_a_column_that_names_one_finding_is_in_no_metadata_baseline() -> None:
    parts = np.array((["train"] * 6 + ["calibrate"] * 2 + ["test"] * 2) * 8)
    names = np.array([f"{row:016x}" for row in range(80)])
    targets = np.stack([np.arange(80) % 2, np.arange(80) // 2 % 2], axis=1)
    covariates = [{"edema?": "ny"[a], "ward": f"w{row % 3}"} for row, (a, _) in enumerate(targets)]
    table = table_of(
        ScanRow(name, name, np.zeros((1, 1, 1), np.float32), name, covariates=told)
        for name, told in zip(names.tolist(), covariates, strict=True)
    )
    scans = LabelledScans(
        np.zeros((80, 1, 8, 8), np.float32), np.full(80, -1), names, names, parts, ("a", "b"), ""
    )
    rivals = FindingRivals(FindingScans(scans, targets, ("a", "b")), None, HeadSettings(), 0)
    found, told = rivals.by_metadata(table)
    assert told == ["edema?"]
    assert set(found.each) == {"a", "b"}
    area = found.metrics(0, 0)["auroc"].value
    assert 0.2 < area < 0.8, "with the column it would be 1 for a finding"


def content(name: str = "mass") -> FindingsContent:
    said, rival = predictions(3.0, 1), predictions(0.5, 2)
    names = ("edema", name, "nodule")
    each = dict(zip(names, said.each.values(), strict=True))
    by_finding = FindingPredictions(each).by_finding(0, 50)
    metrics = {
        "test": as_json(said.metrics(0, 50)),
        "findings": {
            key: {"prevalence": as_json({"p": one["accuracy"]})["p"], **as_json(one)}
            for key, one in by_finding.items()
        },
        "thresholds": dict.fromkeys(names, 0.4321),
        "baselines": {"hog-svm": as_json(rival.metrics(0, 50))},
        "controls": {"shuffled-labels": as_json(rival.metrics(0, 50))},
        "warnings": [f"the finding {name!r} is left out"],
    }
    generator = np.random.default_rng(0)
    return FindingsContent(
        name="chests",
        classes=names,
        negative="no finding",
        verdict="It was worth it.",
        metrics=metrics,
        audit={"valid": True, "findings": []},
        parts={"train": {"edema": (10, 9), name: (3, 3), "no finding": (20, 20)}},
        n_quarantined=0,
        targets=np.stack([one.labels for one in said.each.values()], axis=1),
        probabilities=np.stack([one.probabilities[:, 1] for one in said.each.values()], axis=1),
        thresholds=dict.fromkeys(names, 0.4321),
        map_points=generator.normal(size=(120, 2)),
        map_labels=np.arange(120) % 2,
        examples=FindingExamples(
            generator.random((2, 1, 16, 16), dtype=np.float32),
            generator.random((2, 1, 16, 16), dtype=np.float32),
            [f"edema;{name}", "no finding"],
            ["edema", "no finding"],
            [("edema", 0.9), (name, 0.1)],
        ),
        history=[{"epoch": 1.0, "loss": 2.0, "images_per_second": 100.0}],
        decided=("Each finding is a question of its own.",),
    )


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def test_the_page_shows_every_finding_with_interval_prevalence_and_threshold() -> None:
    shown = content()
    text = " ".join(" ".join(read(render_findings(shown)).text).split())
    for name in shown.classes:
        found = shown.metrics["findings"][name]["auroc"]
        assert name in text
        assert f"{found['value']:.3f} {found['low']:.3f}–{found['high']:.3f}" in text
    assert text.count("0.432") == 3
    assert "edema;mass" in text
    assert "likeliest: edema, 0.900" in text
    assert "Prevalence" in text
    assert render_findings(shown) == render_findings(shown)


def test_the_page_asks_nothing_of_a_network_and_names_are_escaped() -> None:
    page = render_findings(content(HOSTILE))
    reader = read(page)
    assert "script" not in reader.tags
    assert not [value for _, name, value in reader.attributes
                if name in ("src", "href") and not value.startswith(("data:", "#"))]  # fmt: skip
    assert "onerror" not in {name for _, name, _ in reader.attributes}


def test_an_invalid_evaluation_says_so_everywhere() -> None:
    page = render_findings(replace(content(), invalid="test holds patients of train"))
    assert page.count("These results must not be used") >= 7


def test_the_card_tells_means_and_each_finding() -> None:
    shown = content()
    card = render_card(shown, {"format": "latentdx-bundle"}, findings_section(shown))
    assert "It asks of each scan which of **edema**, **mass**, **nodule** it shows." in card
    assert "| finding | prevalence | AUROC | 95 % interval | threshold |" in card
    assert "| mass | " in card
    assert "0.432" in card
