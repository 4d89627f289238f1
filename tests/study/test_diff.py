"""Two runs side by side: what is paired, what is refused, what is said."""

import csv
import json

import numpy as np
import pytest
from diff_folders import (
    FIVE,
    told,
    write_findings,
    write_metrics,
    write_rows,
    write_run,
    write_values,
)
from sklearn.metrics import mean_absolute_error, roc_auc_score

from latentdx.core.errors import StopError
from latentdx.metrics.further import further_names
from latentdx.metrics.summary import NAMES
from latentdx.metrics.values import METRICS
from latentdx.study.diff import diff_runs


def test_every_metric_is_told_of_both_and_of_their_difference(runs):
    found = diff_runs(*runs)
    assert tuple(found["metrics"]) == (*NAMES, *further_names(2))
    for both in found["metrics"].values():
        assert set(both) == {"first", "second", "difference"}
        assert all(set(each) == FIVE for each in both.values())
        gap = both["second"]["value"] - both["first"]["value"]
        assert both["difference"]["value"] == pytest.approx(gap)
    areas = [roc_auc_score(*told(skill=skill, seed=seed)) for skill, seed in ((1.0, 0), (3.0, 1))]
    area = found["metrics"]["auroc"]
    assert [area["first"]["value"], area["second"]["value"]] == pytest.approx(areas)
    assert 0 < area["difference"]["low"] < area["difference"]["value"]


def test_numbers_of_each_are_those_of_its_own_report(runs):
    found = diff_runs(*runs)
    for side, folder in zip(("first", "second"), runs, strict=True):
        test = json.loads((folder / "metrics.json").read_text())["test"]
        for name, both in found["metrics"].items():
            assert both[side] == pytest.approx(test[name], rel=1e-6), name


def test_a_run_does_not_differ_from_itself(runs):
    found = diff_runs(runs[0], runs[0])
    for both in found["metrics"].values():
        assert (both["difference"]["value"], both["difference"]["low"]) == (0, 0)
    assert found["settings"] == {}
    assert found["warnings"] == {"first": [], "second": []}
    assert found["notes"] == []


def test_differences_are_paired(tmp_path):
    """A model and nearly the same again: each is rough, their difference is not."""
    labels, scores = told(skill=1.5)
    nearly = np.clip(scores + np.random.default_rng(3).normal(size=120) / 200, 0.001, 0.999)
    pair = write_run(tmp_path / "a", labels, scores), write_run(tmp_path / "b", labels, nearly)
    area = diff_runs(*pair)["metrics"]["auroc"]
    widths = {name: each["high"] - each["low"] for name, each in area.items()}
    assert widths["difference"] < widths["first"] / 5


def test_settings_and_warnings_that_differ_are_told_and_no_folder(runs):
    found = diff_runs(*runs)
    assert found["settings"] == {"classifier": ["svm", "logistic"]}
    assert found["warnings"] == {"first": ["only here"], "second": ["and here"]}
    assert "/somewhere" not in json.dumps(found)


def test_an_evaluation_without_settings_is_compared_all_the_same(tmp_path, runs):
    bare = write_run(tmp_path / "bare", *told(), config=False)
    found = diff_runs(runs[0], bare)
    assert found["settings"] == {}
    assert any("no settings of its own" in note for note in found["notes"])


def test_test_parts_that_differ_are_compared_where_they_share_half(tmp_path):
    labels, scores = told(180)
    first = write_run(tmp_path / "a", labels[:120], scores[:120])
    second = write_run(tmp_path / "b", labels[60:], 1 - scores[60:], start=60)
    found = diff_runs(first, second)
    assert found["scans"] == {"first": 120, "second": 120, "shared": 60}
    assert "the 60 that both tested" in found["notes"][0]
    area = found["metrics"]["auroc"]
    shared = roc_auc_score(labels[60:120], scores[60:120])
    assert area["first"]["value"] == pytest.approx(shared)
    assert area["second"]["value"] == pytest.approx(1 - shared)
    assert (area["first"]["n_scans"], area["first"]["n_patients"]) == (60, 30)


def test_fewer_than_half_in_common_are_refused(tmp_path):
    labels, scores = told(181)
    first = write_run(tmp_path / "a", labels[:120], scores[:120])
    second = write_run(tmp_path / "b", labels[61:], scores[61:], start=61)
    with pytest.raises(StopError, match="share 59 of 120 scans") as caught:
        diff_runs(first, second)
    assert caught.value.code == "E_DIFF"


def test_another_reference_standard_other_classes_and_other_tasks_are_refused(tmp_path, runs):
    labels, scores = told()
    turned = labels.copy()
    turned[:3] = 1 - turned[:3]
    other = write_run(tmp_path / "turned", turned, scores)
    named = write_run(tmp_path / "named", labels, scores, classes=("no", "yes"))
    numbers = write_values(tmp_path / "numbers", labels * 1.0, scores)
    words = ("3 of 120 shared test scans have another label", "other classes", "other tasks")
    for folder, said in zip((other, named, numbers), words, strict=True):
        with pytest.raises(StopError, match=said) as caught:
            diff_runs(runs[0], folder)
        assert caught.value.code == "E_DIFF"


def test_what_is_no_finished_run_is_refused(tmp_path, runs):
    (tmp_path / "begun").mkdir()
    half = tmp_path / "half"
    half.mkdir()
    write_metrics(half, {"test": {}})
    for folder in (tmp_path / "begun", half, tmp_path / "nowhere"):
        with pytest.raises(StopError) as caught:
            diff_runs(runs[0], folder)
        assert caught.value.code == "E_RUN"


def test_columns_in_another_order_and_cells_kept_from_running_are_read_alike(tmp_path):
    labels, scores = told()
    classes = ("=benign", "malignant")
    first = write_run(tmp_path / "a", labels, scores, classes=classes)
    second = write_run(tmp_path / "b", labels, scores, classes=classes)
    rows = list(csv.DictReader((second / "predictions.csv").read_text().splitlines()))
    turned = [dict(reversed(row.items())) for row in rows]
    for row in turned:
        for column in ("label", "decision"):
            row[column] = row[column].replace("=benign", "'=benign")
    write_rows(second, turned)
    assert diff_runs(first, second)["metrics"]["auroc"]["difference"]["value"] == 0


def test_models_of_numbers_are_compared_by_their_errors(tmp_path):
    generator = np.random.default_rng(0)
    values = generator.normal(size=80) * 10
    told = [values + generator.normal(size=80) * spread for spread in (4, 1)]
    found = diff_runs(*(write_values(tmp_path / f"r{k}", values, told[k]) for k in (0, 1)))
    assert tuple(found["metrics"]) == tuple(METRICS)
    error = found["metrics"]["mae"]
    assert error["first"]["value"] == pytest.approx(mean_absolute_error(values, told[0]))
    assert error["difference"]["high"] < 0


def test_several_findings_are_compared_by_their_mean_and_each(tmp_path):
    areas = [write_findings(tmp_path / f"r{seed}", seed) for seed in (0, 1)]
    found = diff_runs(tmp_path / "r0", tmp_path / "r1")["metrics"]
    assert list(found) == [*NAMES, "auroc of mass", "auroc of edema"]
    for side, area in zip(("first", "second"), areas, strict=True):
        assert found["auroc"][side]["value"] == pytest.approx(np.mean(area))
        assert found["auroc of mass"][side]["value"] == pytest.approx(area[0])
        assert found["auroc of edema"][side]["value"] == pytest.approx(area[1])
