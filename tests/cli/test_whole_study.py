"""`latentdx run` from outside: what it leaves, and what it tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import RESULTS, latentdx, metrics, table, visible
from phantom_hospital import LETTERS, MISSING, PLANTED, SHORT, Study
from sklearn.metrics import roc_auc_score

from latentdx.collection.store import Collection
from latentdx.metrics.further import further_names
from latentdx.metrics.summary import NAMES

pytestmark = pytest.mark.slow

FIVE = {"value", "low", "high", "n_scans", "n_patients"}
TEST_METRICS = {
    *("auroc", "accuracy", "balanced_accuracy", "sensitivity", "specificity"),
    *("average_precision", "brier", "ece"),
}
BASELINES = {"majority", "metadata", "pixels-pca-svm", "hog-svm", "untrained-encoder"}


def test_it_leaves_the_files_of_the_contract(study: Study) -> None:
    assert visible(study.out) == RESULTS
    assert {path.name for path in study.out.iterdir()} - RESULTS == {".work"}


def test_stdout_is_one_json_object_and_progress_goes_to_stderr(study: Study) -> None:
    found = study.ended.json
    written = json.loads((study.out / "metrics.json").read_text())
    assert {name: found[name] for name in written} == written
    assert found["out"] == str(study.out)
    assert "Running the baselines" in study.ended.err


def test_metrics_have_every_part_and_each_number_its_five_fields(study: Study) -> None:
    found = json.loads((study.out / "metrics.json").read_text())
    assert set(found) == {
        *("test", "baselines", "controls", "subgroups", "abstention", "reconstruction"),
        *("seconds", "warnings", "prevalence", "decision_curve", "subgroup_gaps", "strata"),
        "shortcuts",
        "drift",
        "splits",
    }
    assert set(found["test"]) >= TEST_METRICS
    assert set(found["baselines"]) == BASELINES
    assert set(found["controls"]) == {"shuffled-labels"}
    rivals = [*found["baselines"].values(), *found["controls"].values()]
    scored = [found["test"], *rivals]
    assert all(set(NAMES) == set(scores) for scores in rivals)
    assert set(found["test"]) == {*NAMES, *further_names(2)}
    assert found["prevalence"]["source"] == "of the test part"
    numbers = [number for scores in scored for number in scores.values()]
    numbers += found["reconstruction"].values()
    numbers += [
        point[of] for point in found["decision_curve"] for of in ("model", "treat_all", "gain")
    ]
    numbers += [told["gap"] for told in found["subgroup_gaps"]]
    shortcuts = found["shortcuts"]
    assert set(shortcuts) == {"metadata", "pixels", "embedding", "score_at_equal_label"}
    assert {told["name"] for told in shortcuts["metadata"]} >= {"manufacturer", "sex", "view"}
    assert {told["name"] for told in shortcuts["embedding"]} >= {"manufacturer", "sex"}
    numbers += [told["auroc"] for of in ("metadata", "pixels") for told in shortcuts[of]]
    numbers += [told["told"] for told in shortcuts["embedding"]]
    numbers += [told["auroc"] for told in shortcuts["score_at_equal_label"]]
    numbers += [group["error"] for group in found["strata"]["groups"]]
    abstention = found["abstention"]
    assert (abstention["sets"], abstention["target_coverage"]) == ("marginal", 0.9)
    answering = ("coverage", "answered_fraction", "accuracy_when_answered")
    numbers += [abstention[name] for name in answering]
    numbers += abstention["coverage_by_class"].values()
    assert set(abstention) == {*answering, "sets", "target_coverage", "coverage_by_class"}
    assert all(set(number) == FIVE for number in numbers)
    assert set(found["reconstruction"]) == {"mse", "psnr", "ssim"}
    steps = ("ingest", "audit", "pretrain", "fit", "evaluate", "baselines", "control", "report")
    assert set(found["seconds"]) == set(steps)
    assert all(isinstance(text, str) for text in found["warnings"])


def test_predictions_are_those_of_the_test_part_and_give_the_metrics_again(study: Study) -> None:
    rows, found = table(study.out / "predictions.csv"), metrics(study.out)["test"]
    counts = json.loads((study.out / "bundle" / "bundle.json").read_text())["counts"]
    assert len(rows) == counts["test"] == found["auroc"]["n_scans"]
    assert len({row["patient"] for row in rows}) == found["auroc"]["n_patients"]
    truth = np.array([row["label"] == "diseased" for row in rows])
    scores = np.array([float(row["probability:diseased"]) for row in rows])
    decided = np.array([row["decision"] == "diseased" for row in rows])
    assert roc_auc_score(truth, scores) == pytest.approx(found["auroc"]["value"], abs=1e-12)
    assert np.mean(truth == decided) == pytest.approx(found["accuracy"]["value"], abs=1e-12)
    assert np.mean((truth - scores) ** 2) == pytest.approx(found["brier"]["value"], abs=1e-12)
    label_of = {row["path"]: row["label"] for row in table(study.cohort.labels)}
    assert all(label_of[row["path"].removeprefix("'")] == row["label"] for row in rows)


def test_a_run_read_back_has_its_own_numbers_and_does_not_differ_from_itself(
    study: Study, tmp_path: Path
) -> None:
    ended = latentdx("diff", study.out, study.out, "--out", tmp_path / "diff", "--json")
    assert ended.code == 0, ended.err
    test = metrics(study.out)["test"]
    for name, both in ended.json["metrics"].items():
        told, again = (
            [np.nan if end is None else end for end in each.values()]
            for each in (test[name], both["first"])
        )
        np.testing.assert_allclose(again, told, rtol=1e-6, err_msg=name)
        assert both["first"] == both["second"]
        assert both["difference"]["value"] in (0, None)
    assert set(ended.json["metrics"]) == set(test)
    assert ended.json["notes"] == []
    page = (tmp_path / "diff" / "diff.html").read_text()
    assert "AUROC" in page
    shown = latentdx("diff", study.out, study.out)
    assert "Matthews correlation" in shown.out


def test_files_that_cannot_be_used_are_listed_with_their_codes(study: Study) -> None:
    rows = {row["path"]: row["code"] for row in table(study.out / "quarantine.csv")}
    assert rows == {
        f"'{MISSING}": "E_MISSING_FILE",
        f"'{SHORT}": "E_TRUNCATED",
        LETTERS: "E_FORMAT",
    }


def test_no_cell_would_run_in_a_spreadsheet(study: Study) -> None:
    for name in ("predictions.csv", "quarantine.csv"):
        rows = table(study.out / name)
        assert any(row["path"].startswith("'") for row in rows), "the paths were to look so"
        cells = [cell for row in rows for cell in (*row, *row.values())]
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]


def test_no_file_tells_who_the_patients_are(study: Study) -> None:
    words = [word for value in PLANTED.values() for word in value.split("^") if len(word) > 4]
    files = [path for path in study.out.rglob("*") if path.is_file()]
    assert {".html", ".lance", ".safetensors", ".csv", ".toml"} <= {file.suffix for file in files}
    for file in files:
        data = file.read_bytes()
        assert not [word for word in words if word.encode() in data], file
    assert not [word for word in words if word in study.ended.out + study.ended.err]
    stored = repr(vars(Collection.open(study.out / "collection").metadata()))
    assert not [word for word in words if word in stored]


def test_no_file_but_the_settings_tells_where_the_scans_lay(study: Study) -> None:
    place = str(study.cohort.scans.parent).encode()
    files = [path for path in study.out.rglob("*") if path.is_file()]
    assert [file.name for file in files if place in file.read_bytes()] == ["config.toml"]


def test_the_report_is_one_file_that_asks_nothing_of_a_network(study: Study) -> None:
    page = (study.out / "report.html").read_text()
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?!data:|#)[^\"'>\s]+", page)
    assert "INVALID" not in page
