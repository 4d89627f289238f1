"""The report of a model of numbers: what it says, what it compares, and the control that fails."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from test_page import HOSTILE, read

from latentdx.autoencoder.family import build
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.labelled_values import ValuedScans
from latentdx.collection.table import ScanRow, table_of
from latentdx.diagnosis.head import HeadSettings
from latentdx.diagnosis.regression_head import train_regression_head
from latentdx.diagnosis.regression_model import IntervalRule
from latentdx.diagnosis.views import Viewed
from latentdx.features.pixels import flat_pixels
from latentdx.report.predictions import as_json
from latentdx.report.value_baselines import ValueRivals, columns_beside_values, value_baselines
from latentdx.report.value_card import render_value_card
from latentdx.report.value_content import PartFacts, ValueContent, ValueExamples
from latentdx.report.value_control import shuffled_values
from latentdx.report.value_page import render_values
from latentdx.report.value_predictions import ValuePredictions, value_verdict
from latentdx.study.gains import COVARIATES, gain_sentence
from latentdx.study.regression_fit import interval_notes

SIZE = 12


def content(**changes: object) -> ValueContent:
    generator = np.random.default_rng(0)
    values = generator.uniform(20, 90, 120)
    predicted = 20 + 0.7 * values + generator.normal(0, 6, 120)
    patients = np.arange(120).astype(str)
    told = ValuePredictions(values, predicted, patients)
    median = ValuePredictions(values, np.full(120, 55.0), patients)
    covered = {"value": 0.91, "low": 0.86, "high": 0.95, "n_scans": 120, "n_patients": 120}
    pixels = generator.random((4, 1, 16, 16)).astype(np.float32)
    made = ValueContent(
        name="chests",
        units="years",
        verdict=value_verdict(told, {"median": median}, 0, "years"),
        metrics={
            "test": as_json(told.metrics(0, 100)),
            "baselines": {"median": as_json(median.metrics(0, 100))},
            "controls": {"shuffled-labels": as_json(median.metrics(0, 100))},
            "subgroups": [
                {"column": "sex", "value": "F", "n_scans": 60, "n_patients": 60,
                 "mae": as_json(told.metrics(0, 100))["mae"]}
            ],
            "intervals": {"half_width": 14.2, "coverage": covered, "target_coverage": 0.9},
            "reconstruction": {"mse": None},
            "seconds": {"fit": 2.5},
            "warnings": [],
        },
        audit={"findings": []},
        parts={"train": PartFacts(360, 300, (18.0, 55.0, 92.0)), "pretrain": PartFacts(9, 9, None)},
        n_quarantined=0,
        values=values,
        predicted=predicted,
        half_width=14.2,
        map_points=generator.normal(size=(120, 2)),
        map_values=values,
        examples=ValueExamples(pixels, pixels, values[:4], predicted[:4]),
        history=[{"epoch": 1.0, "loss": 0.2}, {"epoch": 2.0, "loss": 0.1}],
        decided=("The machine is svm.",),
    )  # fmt: skip
    return replace(made, **changes)


def test_the_page_is_whole_and_says_what_was_found() -> None:
    page = render_values(content())
    said = re.sub(r"\s+", " ", " ".join(read(page).text))
    for text in (
        "Mean absolute error, years", "Explained variance (R2)", "Correlation of ranks (Spearman)",
        "Median of the training part", "Control: shuffled labels", "Bland", "years; predicted",
        "The machine is svm.", "14.2", "anything of them", "0.910",
    ):  # fmt: skip
        assert text in said, text
    assert page.count("<svg") == 5
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?!data:|#)[^\"'>\s]+", page)
    assert page == render_values(content())


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {}},
        {"values": np.empty(0), "predicted": np.empty(0), "map_points": np.empty((0, 2)),
         "map_values": np.empty(0), "history": ()},
        {"half_width": math.inf, "units": ""},
        {"invalid": "test patients were seen"},
    ],
)  # fmt: skip
def test_what_is_missing_is_a_dash_and_no_error(changes: dict[str, object]) -> None:
    page = render_values(content(**changes))
    read(page)
    assert ("INVALID" in page) == ("invalid" in changes)
    assert render_value_card(content(**changes), {}).startswith("---")


def test_names_of_others_are_text() -> None:
    page = render_values(content(name=HOSTILE, units=HOSTILE, decided=(HOSTILE,)))
    assert HOSTILE not in page
    assert "script" not in read(page).tags


def test_the_card_tells_the_numbers_and_no_path() -> None:
    card = render_value_card(content(), {"classifier": "svm", "path": "/home/someone"})
    assert "Mean absolute error, years" in card
    assert "| classifier | svm |" in card
    assert "someone" not in card
    assert "| train | 360 | 300 | 55.0 |" in card


def test_the_verdict_is_by_paired_errors() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(50, 10, 100)
    noise = generator.normal(0, 5, 100)
    names = np.arange(100).astype(str)
    good, bad = (ValuePredictions(values, values + k * noise, names) for k in (1.0, 1.2))
    won = value_verdict(good, {"median": bad, "hog-svm": bad}, 0, "years")
    assert won.startswith("The autoencoder was worth it: the strongest baseline is")
    assert "years" in won
    assert "the difference is -" in won
    lost = value_verdict(bad, {"untrained-encoder": good}, 0)
    assert lost.startswith("The autoencoder was not worth it")
    assert "the difference is +" in lost
    same = value_verdict(good, {"metadata": good}, 0)
    assert "cannot be told apart" in same
    few = value_verdict(good.take(np.arange(5)), {"median": bad.take(np.arange(5))}, 0)
    assert few.startswith("No verdict")


def discs(count: int) -> ValuedScans:
    """Two scans a patient of a disc, the value ten times its radius; parts by patient."""
    generator = np.random.default_rng(0)
    radius = np.repeat(generator.uniform(1.5, 5, count // 2), 2)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    away = np.sqrt(x**2 + y**2)
    pixels = 1 / (1 + np.exp(3 * (away - radius[:, None, None])))
    pixels = pixels + generator.uniform(0, 0.1, pixels.shape)
    patients = np.repeat([f"P{i}" for i in range(count // 2)], 2)
    parts = np.where(np.arange(count) % 10 < 6, "train", "test")
    ids = np.array([f"{row:04}" for row in range(count)])
    scans = LabelledScans(
        (pixels[:, None] / 1.1).astype(np.float32),
        np.full(count, -1),
        patients,
        ids,
        parts,
        (),
        "s",
    )
    return ValuedScans(scans, 10 * radius)


def table_for(valued: ValuedScans, columns: dict[str, list[str]]) -> object:
    scans = valued.scans
    return table_of(
        ScanRow(
            str(scans.scan_ids[row]), f"{row}.png", scans.pixels[row], str(row),
            patient=str(scans.patients[row]), label=str(valued.values[row]),
            covariates={name: values[row] for name, values in columns.items()},
        )
        for row in range(len(valued))
    )  # fmt: skip


@pytest.fixture(scope="module")
def valued() -> ValuedScans:
    return discs(200)


def test_baselines_are_tested_on_the_same_scans_and_know_what_they_can(valued) -> None:
    generator = np.random.default_rng(0)
    values = valued.values
    columns = {
        "half": [f"{value / 2 + 3:.3f}" for value in values],
        "near": [f"{value:.2f}" for value in values + generator.normal(0, 4, 200)],
        "sex": list(generator.choice(["F", "M"], 200)),
    }
    network = build("convolutional", {"channels": 1, "size": SIZE, "widths": (8,)})
    settings = HeadSettings(rows=200, components=8)
    rivals = ValueRivals(valued, network, "ridge", settings, 0)
    found, told = value_baselines(rivals, table_for(valued, columns), lambda name: None)
    assert told == ["half"]
    names = ("median", "metadata", "pixels-pca-svm", "hog-svm", "untrained-encoder")
    assert tuple(found) == names
    errors = {name: rival.metrics(0, 0)["mae"].value for name, rival in found.items()}
    test = valued.part("test")
    median = np.median(valued.part("train").values)
    assert errors["median"] == pytest.approx(np.abs(test.values - median).mean())
    assert errors["pixels-pca-svm"] < 0.5 * errors["median"]
    assert errors["metadata"] < 0.7 * errors["median"]
    for rival in found.values():
        assert rival.values.tolist() == test.values.tolist()


def test_patients_get_one_value_each_and_so_do_their_rivals(valued) -> None:
    """Two scans a patient: predictions and values are means, in every baseline and the control."""
    cases = replace(valued, scans=replace(valued.scans, cases=valued.scans.patients))
    train = cases.part("train")
    settings = HeadSettings(rows=300, components=8)
    head = train_regression_head(train, flat_pixels, "ridge", settings, seed=0)
    test = cases.part("test")
    seen = Viewed.of(test.scans, flat_pixels, flip=False)
    single = head.values(head.scores(flat_pixels(test.scans.pixels)))
    _, place = np.unique(test.scans.patients, return_inverse=True)
    expected = np.bincount(place, single) / np.bincount(place)
    decided = test.decided()
    order = np.argsort(decided.scans.patients)
    np.testing.assert_allclose(head.values(seen.scores(head))[order], expected, rtol=1e-5)
    means = np.bincount(place, test.values) / np.bincount(place)
    np.testing.assert_allclose(decided.values[order], means)
    rivals = ValueRivals(
        cases,
        build("convolutional", {"channels": 1, "size": SIZE, "widths": (8,)}),
        "ridge",
        settings,
        0,
    )
    found, _ = value_baselines(rivals, table_for(cases, {}), lambda _: None)
    n_patients = len(np.unique(test.scans.patients))
    assert {len(one.values) for one in found.values()} == {n_patients} != {len(test)}
    pooled = cases.scans.pooled(head.reduced(flat_pixels(cases.scans.pixels)))
    control = shuffled_values(head, cases.decided(), pooled, 0)
    assert control["mae"].n_scans == control["mae"].n_patients == n_patients


def test_what_covariates_add_is_no_rival_of_the_autoencoder() -> None:
    values = np.arange(40.0)
    names = np.arange(40).astype(str)
    good, bad = (ValuePredictions(values, values + away, names) for away in (1.0, 2.0))
    told = value_verdict(bad, {"median": bad, "without-covariates": good}, 0, "mm", "patients")
    assert "guessing the median" in told
    assert "40 patients of 40 patients" in told
    gain = bad.lead_over(good, 0)
    assert gain_sentence(COVARIATES, gain, "mean absolute error", is_error=True).startswith(
        "With them the mean absolute error is +1.000 against the picture alone (95 % interval +1"
    )


def test_a_column_of_the_values_themselves_is_left_out(valued) -> None:
    columns = {"again": [f"{value:.6f}" for value in valued.values], "all": ["x"] * 200}
    kept, told = columns_beside_values(table_for(valued, columns), valued)
    assert (list(kept), told) == ([], ["again"])


def test_the_control_keeps_nothing_where_the_model_learns(valued) -> None:
    train = valued.part("train")
    head = train_regression_head(
        train, flat_pixels, "ridge", HeadSettings(rows=300, components=8), seed=0
    )
    features = head.reduced(flat_pixels(valued.scans.pixels))
    test = valued.scans.parts == "test"
    told = head.values(head.scores(flat_pixels(valued.scans.pixels[test])))
    assert np.corrcoef(told, valued.values[test])[0, 1] > 0.9
    found = shuffled_values(head, valued, features, 0)
    assert set(found) == {"mae", "rmse", "r2", "pearson", "spearman"}
    assert abs(found["pearson"].value) < 0.15
    assert -0.5 < found["r2"].value < 0.05
    assert found["r2"].n_patients == len(np.unique(valued.scans.patients[test]))


def test_a_leak_is_seen_by_the_control(valued) -> None:
    """Each patient's second scan in test: who the patient is tells the value, shuffled or not."""
    parts = np.where(np.arange(200) % 2 == 0, "train", "test")
    leaky = ValuedScans(replace(valued.scans, parts=parts), valued.values)
    own = np.repeat(np.eye(100, dtype=np.float32), 2, axis=0)
    head = train_regression_head(
        leaky.part("train"), flat_pixels, "knn", HeadSettings(rows=100, components=8), seed=0
    )
    found = shuffled_values(replace(head, strength=1), leaky, own, 0)
    assert found["pearson"].value > 0.9


def test_too_few_patients_for_an_interval_are_told() -> None:
    assert interval_notes(IntervalRule(3.0, 0.9, 30)) == []
    (note,) = interval_notes(IntervalRule(math.inf, 0.9, 8))
    assert "8 patients" in note
    assert "9 are needed" in note
