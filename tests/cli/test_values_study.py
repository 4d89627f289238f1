"""`latentdx run --task regression` from outside, step by step too, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import QUICK, RESULTS, Ended, differences, metrics, table, visible
from measured_scans import measured_table
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

from latentdx.report import drift

FIVE = {"value", "low", "high", "n_scans", "n_patients"}
METRICS = {"mae", "rmse", "r2", "pearson", "spearman"}
BASELINES = {"median", "metadata", "pixels-pca-svm", "hog-svm", "untrained-encoder"}


def run_of(labels: Path, out: Path, *more: object) -> tuple[object, ...]:
    source = labels.parent / "scans"
    return ("run", source, "--labels", labels, "--out", out, "--json", *QUICK, *more)


@pytest.mark.slow
def test_a_study_of_numbers(here: Callable[..., Ended], tmp_path: Path) -> None:
    labels, out = measured_table(tmp_path, 60), tmp_path / "o"
    asked = ("--task", "regression", "--unit", "mm", "--coverage", "0.8", "--classifier", "ridge")
    ended = here(*run_of(labels, out, *asked))
    assert ended.code == 0, ended.err
    assert visible(out) == RESULTS
    found = ended.json
    scored = [found["test"], *found["baselines"].values(), *found["controls"].values()]
    assert all(set(scores) == METRICS for scores in scored)
    assert all(set(number) == FIVE for scores in scored for number in scores.values())
    assert set(found["baselines"]) == BASELINES
    assert (found["task"], found["units"]) == ("regression", "mm")
    numbers_follow_from_the_predictions(table(out / "predictions.csv"), found)
    assert found["test"]["r2"]["value"] > 0.5
    assert found["controls"]["shuffled-labels"]["pearson"]["value"] < 0.3
    assert abs(found["baselines"]["median"]["r2"]["value"]) < 0.2
    assert "worth it" in found["verdict"] or "told apart" in found["verdict"]
    page = (out / "report.html").read_text()
    for text in ("Mean absolute error, mm", "Bland", "Prediction against value"):
        assert text in page
    assert "INVALID" not in page
    again = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "e", "--json")
    assert again.json["test"]["mae"]["n_scans"] == found["test"]["mae"]["n_scans"]
    assert again.json["test"]["mae"]["value"] == pytest.approx(
        found["test"]["mae"]["value"], rel=1e-4
    )
    predicting_gives_a_number_and_its_interval(here, out / "bundle", labels, tmp_path)
    the_same_call_trains_nothing_again(here, labels, out, asked)


def numbers_follow_from_the_predictions(rows: list[dict[str, str]], found: dict) -> None:
    value, predicted, low, high = (
        np.array([float(row[name]) for row in rows])
        for name in ("value", "prediction", "low", "high")
    )
    test, intervals = found["test"], found["intervals"]
    assert test["mae"]["value"] == pytest.approx(mean_absolute_error(value, predicted))
    assert test["r2"]["value"] == pytest.approx(r2_score(value, predicted))
    assert test["spearman"]["value"] == pytest.approx(spearmanr(value, predicted).statistic)
    inside = (low <= value) & (value <= high)
    assert intervals["coverage"]["value"] == pytest.approx(inside.mean())
    assert intervals["target_coverage"] == 0.8
    np.testing.assert_allclose(high - low, 2 * intervals["half_width"])
    assert len({row["patient"] for row in rows}) == test["mae"]["n_patients"]


def predicting_gives_a_number_and_its_interval(
    here: Callable[..., Ended], bundle: Path, labels: Path, tmp_path: Path
) -> None:
    scan, broken = labels.parent / "scans" / "p000_0.png", tmp_path / "broken.png"
    broken.write_bytes(b"none")
    ended = here("predict", bundle, scan, broken, "--json", "--csv", tmp_path / "p.csv")
    assert ended.code == 3
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert all((line["label"], line["units"]) == (None, "mm") for line in lines)
    assert all((line["probabilities"], line["prediction_set"]) == ({}, []) for line in lines)
    assert [line["status"] for line in lines] in (["ok", "quarantined"],)
    low, high = lines[0]["interval"]
    assert low < lines[0]["value"] < high
    assert lines[1]["value"] is None
    rows = table(tmp_path / "p.csv")
    assert float(rows[0]["value"]) == lines[0]["value"]
    assert f"{lines[0]['value']:.4g} mm" in here("predict", bundle, scan).out
    refused = here("predict", bundle, scan, "--abstain")
    assert (refused.code, "E_OPTION" in refused.err) == (2, True)


def the_same_call_trains_nothing_again(
    here: Callable[..., Ended], labels: Path, out: Path, asked: tuple[str, ...]
) -> None:
    before = metrics(out)
    again = here(*run_of(labels, out, *asked))
    assert "nothing has changed" in again.err
    assert not differences(before, metrics(out))


@pytest.mark.slow
def test_patients_and_what_is_known_of_them(
    here: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "FEWEST", 5)  # of a cohort as small as this
    labels, out = measured_table(tmp_path, 60), tmp_path / "o"
    asked = ("--task", "regression", "--unit", "mm", "--classifier", "ridge")
    more = ("--decide-by", "patient", "--covariates", "age,sex")
    ended = here(*run_of(labels, out, *asked, *more))
    assert ended.code == 0, ended.err
    found, rows = ended.json, table(out / "predictions.csv")
    n_patients = len({row["patient"] for row in rows})
    scored = [found["test"], *found["baselines"].values(), *found["controls"].values()]
    assert found["decide_by"] == "patient"
    assert {scores["mae"]["n_scans"] for scores in scored} == {n_patients} == {len(rows)}
    assert all(row["paths"].count(";") == 1 for row in rows)
    told = {row["path"]: float(row["label"]) for row in table(labels)}
    for row in rows:
        values = [told[path] for path in row["paths"].split(";")]
        assert float(row["value"]) == pytest.approx(np.mean(values))
    away = [abs(float(row["value"]) - float(row["prediction"])) for row in rows]
    assert found["test"]["mae"]["value"] == pytest.approx(np.mean(away))
    without = found["baselines"]["without-covariates"]["mae"]["value"]
    assert found["covariates"]["columns"] == ["age", "sex"]
    assert found["covariates"]["gain"]["value"] == pytest.approx(
        without - found["test"]["mae"]["value"]
    )
    page = (out / "report.html").read_text()
    for text in ("All scans of a patient are decided together", "Beside the picture it reads",
                 f"{n_patients} patients, {n_patients} patients"):  # fmt: skip
        assert text in page
    again = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "e", "--json")
    assert again.json["test"]["mae"]["value"] == pytest.approx(
        found["test"]["mae"]["value"], rel=1e-4
    )
    assert again.json["covariates"]["missing"] == {"age": 0, "sex": 0}
    scans = [labels.parent / "scans" / path for path in rows[0]["paths"].split(";")]
    beside = ("--table", labels, "--json", "--csv", tmp_path / "p.csv")
    [line] = map(json.loads, here("predict", out / "bundle", *scans, *beside).out.splitlines())
    assert (line["case"], len(line["paths"])) == (rows[0]["case"], 2)
    assert line["missing_covariates"] == []
    assert line["value"] == pytest.approx(float(rows[0]["prediction"]), rel=1e-4)
    assert table(tmp_path / "p.csv")[0]["paths"].count(";") == 1
    elsewhere_it_is_told_how_scans_differ(here, out / "bundle", tmp_path)


def elsewhere_it_is_told_how_scans_differ(
    here: Callable[..., Ended], bundle: Path, tmp_path: Path
) -> None:
    """Scans with values, and the same without any: the same predictions, and the same drift."""
    labels, found, rows = measured_table(tmp_path / "other", 24, first=500), {}, {}
    for name in ("told", "blind"):
        given = ("--labels", labels) if name == "told" else ("--patient-pattern", "(p[0-9]+)_")
        given = (*given, *(("--task", "regression") if name == "told" else ()))
        source = labels.parent / "scans"
        made = here("ingest", source, "--to", tmp_path / name, "--size", "16", *given)
        assert made.code == 0, made.err
        out = tmp_path / f"{name}-out"
        found[name] = here("evaluate", bundle, tmp_path / name, "--out", out, "--json").json
        rows[name] = {row["path"]: row for row in table(out / "predictions.csv")}
    told = found["told"]["drift"]
    assert {"pixels", "embeddings", "scores"} <= {test["of"] for test in told["tests"]}
    assert told["n_patients"] == 24
    assert told["expected"] is None
    assert found["blind"]["n_scans"] == found["told"]["test"]["mae"]["n_scans"] == 24
    predicted = [float(row["prediction"]) for row in rows["blind"].values()]
    assert found["blind"]["predicted"]["median"] == pytest.approx(np.median(predicted))
    assert "test" not in found["blind"]
    assert "Predictions" in (tmp_path / "blind-out" / "report.html").read_text()
    assert "value" not in next(iter(rows["blind"].values()))


@pytest.mark.slow
def test_step_by_step_the_collection_knows_its_task(
    here: Callable[..., Ended], tmp_path: Path
) -> None:
    labels, collection = measured_table(tmp_path, 40), tmp_path / "c"
    source = labels.parent / "scans"
    ended = here(
        *("ingest", source, "--labels", labels, "--task", "regression", "--to", collection),
        *("--size", "16"),
    )
    assert ended.code == 0, ended.err
    encoder, bundle = tmp_path / "encoder", tmp_path / "bundle"
    assert here("pretrain", collection, "--to", encoder, "--epochs", "1").code == 0
    ended = here("fit", collection, "--encoder", encoder, "--to", bundle, "--unit", "mm")
    assert ended.code == 0, ended.err
    told = json.loads((bundle / "bundle.json").read_text())
    assert (told["task"], told["units"], told["head"]["regressor"]) == ("regression", "mm", "svm")
    ended = here("evaluate", bundle, collection, "--out", tmp_path / "e", "--json")
    assert ended.json["test"]["mae"]["n_scans"] == told["counts"]["test"]


@pytest.mark.parametrize(
    ("more", "code", "fix"),
    [
        ((), "E_TASK", "--task regression"),
        (("--task", "regression", "--classifier", "boosting"), "E_CLASSIFIER", "ridge"),
        (("--task", "regression", "--target", "cost:FN/FP=2"), "E_OPTION", "--target"),
        (("--task", "regression", "--prevalence", "0.1"), "E_OPTION", "--prevalence"),
        (("--task", "regression", "--order", "1,2"), "E_OPTION", "--order"),
        (("--task", "regression", "--covariates", "weight"), "E_COVARIATE", "sex"),
        (("--task", "regression", "--covariates", "twice"), "E_COVARIATE", "in other words"),
        (("--task", "regression", "--pool", "attention"), "E_OPTION", "--pool"),
        (("--task", "regression", "--features", "auto"), "E_OPTION", "name the features"),
        (("--task", "regression", "--risk", "0.1"), "E_OPTION", "--risk"),
        (("--task", "regression", "--cnn-from-scratch"), "E_OPTION", "learns classes"),
    ],
)
def test_what_numbers_do_not_have(
    here: Callable[..., Ended], tmp_path: Path, more: tuple[str, ...], code: str, fix: str
) -> None:
    labels = measured_table(tmp_path, 24)
    ended = here(*run_of(labels, tmp_path / "o", *more))
    assert (ended.code, ended.out) == (2, "")
    assert code in ended.err
    assert fix in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("cell", "n_patients", "code"),
    [("old", 24, "E_TASK"), ("nan", 24, "E_TASK"), ("40.0", 19, "E_TOO_FEW")],
)
def test_labels_that_are_no_numbers_and_too_few(
    here: Callable[..., Ended], tmp_path: Path, cell: str, n_patients: int, code: str
) -> None:
    labels = measured_table(tmp_path, n_patients)
    rows = table(labels)
    with labels.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**rows[0], "label": cell}, *rows[1:]])
    ended = here(*run_of(labels, tmp_path / "o", "--task", "regression"))
    assert (ended.code, ended.out) == (2, "")
    assert code in ended.err


def test_classes_do_not_take_what_numbers_have(here: Callable[..., Ended], tmp_path: Path) -> None:
    labels = measured_table(tmp_path, 24)
    rows = table(labels)
    with labels.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "label": "large" if float(row["label"]) > 40 else "small"})
    for more, code in ((("--classifier", "ridge"), "E_CLASSIFIER"), (("--unit", "mm"), "E_OPTION")):
        ended = here(*run_of(labels, tmp_path / more[1], *more))
        assert (ended.code, code in ended.err) == (2, True), ended.err
