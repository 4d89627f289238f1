"""Several findings a scan on the command line: a whole study, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from findings_cohort import FINDINGS, picture, write_cohort
from latentdx_command import QUICK, RESULTS, Ended, latentdx, metrics, table, visible
from sklearn.metrics import roc_auc_score

from latentdx.metrics.further import further_names
from latentdx.report import drift

Call = Callable[..., Ended]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_cohort(tmp_path_factory.mktemp("findings"))
    ended = latentdx(
        *("run", root / "scans", "--labels", root / "labels.csv", "--out", root / "out"),
        *("--json", "--classifier", "logistic", *QUICK),
    )
    assert ended.code == 0, ended.err
    assert "'rare' is left out: it has 2 patients" in ended.err
    return root


@pytest.mark.slow
def test_it_leaves_the_files_of_the_contract_and_every_number_its_five_fields(study: Path) -> None:
    out = study / "out"
    assert visible(out) == RESULTS
    found = json.loads((out / "metrics.json").read_text())
    assert set(found["findings"]) == set(found["thresholds"]) == set(FINDINGS)
    scored = [found["test"], *found["baselines"].values(), *found["controls"].values()]
    names = set(found["test"])
    assert all(set(scores) == names for scores in scored)
    each = found["findings"].values()
    told = names | {"prevalence", *further_names(2)}
    assert all(set(scores) == told for scores in each)
    abstention = ("coverage", "answered_fraction", "accuracy_when_answered")
    numbers = [number for scores in (*scored, *each) for number in scores.values()]
    numbers += [found["abstention"][name] for name in abstention]
    five = {"value", "low", "high", "n_scans", "n_patients"}
    assert all(set(number) == five for number in numbers)
    assert any("'rare' is left out" in text for text in found["warnings"])
    low, high = (found["controls"]["shuffled-labels"]["auroc"][end] for end in ("low", "high"))
    assert 0.3 < low < high < 0.7
    assert found["test"]["auroc"]["value"] > 0.8


@pytest.mark.slow
def test_predictions_give_the_metrics_again(study: Path) -> None:
    rows, found = table(study / "out" / "predictions.csv"), metrics(study / "out")
    told = {row["path"]: row["label"] for row in table(study / "labels.csv")}
    areas, right = [], []
    for name in FINDINGS:
        truth = np.array([name in told[row["path"]] for row in rows])
        assert truth.tolist() == [name in row["label"].split(";") for row in rows]
        scores = np.array([float(row[f"probability:{name}"]) for row in rows])
        decided = np.array([name in row["decision"].split(";") for row in rows])
        np.testing.assert_array_equal(decided, scores >= found["thresholds"][name])
        areas.append(roc_auc_score(truth, scores))
        right.append((truth == decided).mean())
        assert found["findings"][name]["auroc"]["value"] == pytest.approx(areas[-1], abs=1e-12)
        assert found["findings"][name]["prevalence"]["value"] == pytest.approx(truth.mean())
    assert found["test"]["auroc"]["value"] == pytest.approx(np.mean(areas), abs=1e-12)
    assert found["test"]["accuracy"]["value"] == pytest.approx(np.mean(right), abs=1e-12)
    assert {row["label"] for row in rows} >= {"No Finding"}


@pytest.mark.slow
def test_the_bundle_predicts_what_the_run_did(study: Path, here: Call, tmp_path: Path) -> None:
    rows = {row["path"]: row for row in table(study / "out" / "predictions.csv")}
    scans = [study / "scans" / path for path in sorted(rows)][:8]
    csv_path = tmp_path / "p.csv"
    ended = here("predict", study / "out" / "bundle", *scans, "--json", "--csv", csv_path)
    assert ended.code == 0, ended.err
    compared = 0
    for line in ended.out.splitlines():
        told = json.loads(line)
        row = rows[Path(told["path"]).name]
        if told["status"] == "ok":
            compared += 1
            assert told["label"] == row["decision"]
            assert ";".join(told["prediction_set"]) == row["prediction_set"]
            for name, probability in told["probabilities"].items():
                assert probability == pytest.approx(float(row[f"probability:{name}"]), abs=1e-5)
    assert compared
    assert f"probability:{FINDINGS[0]}" in table(csv_path)[0]
    assert "not ruled out at 90 %" in here("predict", study / "out" / "bundle", *scans[:4]).out


@pytest.mark.slow
def test_it_is_evaluated_on_its_own_test_part_and_elsewhere(
    study: Path, here: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = study / "out"
    monkeypatch.setattr(drift, "FEWEST", 5)  # of a cohort as small as this
    own = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "own", "--json")
    assert own.code == 0, own.err
    before = metrics(out)
    for name in ("test", "findings", "thresholds", "abstention"):
        assert own.json[name] == before[name]
    rare = ("--prevalence", "0.1")
    refused = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "r", *rare)
    assert refused.code == 2
    assert "E_OPTION" in refused.err
    other = write_cohort(tmp_path / "other", 30, first=200)
    assert here(
        *("ingest", other / "scans", "--labels", other / "labels.csv", "--size", 16),
        *("--to", tmp_path / "c"),
    ).code == 0  # fmt: skip
    ended = here("evaluate", out / "bundle", tmp_path / "c", "--out", tmp_path / "there")
    assert ended.code == 0, ended.err
    assert "External validation" in ended.out
    assert len(table(tmp_path / "there" / "predictions.csv")) == 60
    page = (tmp_path / "there" / "report.html").read_text()
    assert "AUROC of each finding" in page
    assert "Are these scans like those that the model was made from?" in page
    told = metrics(tmp_path / "there")["drift"]
    assert {"pixels", "embeddings", "scores"} <= {test["of"] for test in told["tests"]}
    assert told["n_patients"] == 30
    blind_ones_are_decided_and_compared(here, out / "bundle", other / "scans", tmp_path)


def blind_ones_are_decided_and_compared(
    here: Call, bundle: Path, scans: Path, tmp_path: Path
) -> None:
    collection = tmp_path / "blind"
    made = here("ingest", scans, "--to", collection, "--size", 16, "--patient-pattern", "p([0-9]+)")
    assert made.code == 0, made.err
    found = here("evaluate", bundle, collection, "--out", tmp_path / "b", "--json").json
    assert set(found["decisions"]) == {*FINDINGS, "No Finding"}
    rows, there = (table(tmp_path / name / "predictions.csv") for name in ("b", "there"))
    assert found["n_scans"] == len(rows) == 60
    told = {row["path"]: row["decision"] for row in there}
    assert {row["path"]: row["decision"] for row in rows} == told
    for name, count in found["decisions"].items():
        assert count == sum(name in label.split(";") for label in told.values())
    assert found["drift"]["n_patients"] == 30
    assert "has no labels" in (tmp_path / "b" / "report.html").read_text()


@pytest.mark.slow
def test_by_steps_every_head_gets_its_threshold_and_its_risk(
    study: Path, here: Call, tmp_path: Path
) -> None:
    collection = study / "out" / "collection"
    pretrained = here("pretrain", collection, "--to", tmp_path / "encoder", "--epochs", "2")
    assert pretrained.code == 0, pretrained.err
    fitted = here(
        *("fit", collection, "--encoder", tmp_path / "encoder", "--to", tmp_path / "bundle"),
        *("--classifier", "logistic", "--target", "sensitivity>=0.9", "--risk", "0.2"),
    )
    assert fitted.code == 0, fitted.err
    told = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert (told["task"], told["negative"]) == ("multi-label", "No Finding")
    heads = [item["head"] for item in told["findings"]]
    assert all("sensitivity" in head["threshold_target"] for head in heads)
    assert all(head["risk"]["risk"] == 0.2 for head in heads)
    refused = here("search", collection, "--to", tmp_path / "s", "--trials", "2")
    assert (refused.code, "E_TASK" in refused.err) == (2, True)


def refusal(here: Call, root: Path, labels: list[str], *more: object) -> str:
    """What `run` says of one picture a label, each of another patient, before it reads any."""
    names = [f"{row}.png" for row in range(len(labels))]
    for row, name in enumerate(names):
        picture(root / "scans" / name, [], row)
    with (root / "labels.csv").open("w", newline="") as file:
        rows = zip(names, labels, names, strict=True)
        csv.writer(file).writerows([("path", "label", "patient_id"), *rows])
    source = (root / "scans", "--labels", root / "labels.csv", "--out", root / "out")
    ended = here("run", *source, "--size", 16, *more)
    assert ended.code == 2
    assert not (root / "out").exists()
    return ended.err


@pytest.mark.parametrize(
    ("labels", "more", "expected"),
    [
        (["a;b", "a;", "b"], (), "E_FINDINGS"),
        (["a;b", "normal;a", "b"], (), "E_FINDINGS"),
        (["a;b", "b;a"], (), "E_ONE_CLASS"),
        (["a;b", "normal", "normal"], (), "E_CLASS_SIZE"),
        (["a;b", "a", "normal"] * 9, ("--task", "classes"), "E_TASK"),
        (["a;b", "a", "normal"] * 9, ("--positive", "a"), "E_OPTION"),
        (["a;b", "a", "normal"] * 9, ("--cnn-from-scratch",), "E_OPTION"),
        (["a;b", "a", "normal"] * 9, ("--task", "several"), "E_CONFIG"),
    ],
)
def test_what_is_refused(
    here: Call, tmp_path: Path, labels: list[str], more: tuple[str, ...], expected: str
) -> None:
    assert expected in refusal(here, tmp_path, labels, *more)
