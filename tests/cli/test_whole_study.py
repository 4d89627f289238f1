"""`latentdx run` from outside: what it leaves, what it tells, and that it tells the same again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import (
    QUICK,
    RESULTS,
    Ended,
    class_folders,
    differences,
    killed_when,
    latentdx,
    metrics,
    png,
    table,
    visible,
)
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


def run_of(study: Study, out: Path, *more: object) -> tuple[object, ...]:
    cohort = study.cohort
    return ("run", cohort.scans, "--labels", cohort.labels, "--out", out, *QUICK, *more)


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


def test_its_settings_replay_it(study: Study, tmp_path: Path) -> None:
    again = latentdx("run", "--config", study.out / "config.toml", "--out", tmp_path / "again")
    assert again.code == 3, again.err
    assert not differences(metrics(study.out), metrics(tmp_path / "again"))
    assert same_files(study.out, tmp_path / "again")


def test_killed_thrice_it_ends_with_the_same_numbers(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    checkpoints = out / ".work" / "pretrain"
    stages: list[Callable[[str], bool]] = [
        lambda said: "Reading scans" in said,
        lambda said: any(checkpoints.glob("step-*.safetensors")),
        lambda said: "Running the baselines" in said,
    ]
    for met in stages:
        killed_when(met, tmp_path / "log", *run_of(study, out))
        assert not (out / "metrics.json").exists()
    ended = latentdx(*run_of(study, out, "--json"))
    assert ended.code == 3, ended.err
    assert visible(out) == RESULTS
    assert not differences(metrics(study.out), metrics(out))
    assert same_files(study.out, out)


def same_files(first: Path, second: Path) -> bool:
    names = ("predictions.csv", "audit.json", "quarantine.csv", "bundle/checksums.json")
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_called_again_it_returns_what_is_there(study: Study, here: Callable[..., Ended]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (study.out / "bundle").iterdir()}
    again = here(*run_of(study, study.out, "--json"))
    assert again.code == 3
    assert "nothing has changed" in again.err
    assert "Training" not in again.err
    assert again.json == study.ended.json
    assert before == {path: path.stat().st_mtime_ns for path in (study.out / "bundle").iterdir()}


def test_other_settings_in_the_same_folder_are_refused(
    study: Study, here: Callable[..., Ended]
) -> None:
    before = (study.out / "config.toml").read_bytes()
    ended = here(*run_of(study, study.out, "--seed", "5", "--no-flip"))
    assert (ended.code, ended.out) == (2, "")
    assert "E_DESTINATION" in ended.err
    assert str(study.out) in ended.err
    assert "(flip, seed)" in ended.err
    assert (study.out / "config.toml").read_bytes() == before


def test_fewer_labels_and_more_unlabelled_scans_leave_the_test_part_alone(
    study: Study, here: Callable[..., Ended], more_scans: Path, tmp_path: Path
) -> None:
    more = ("--labelled", "20", "--unlabelled", more_scans)
    ended = here(*run_of(study, tmp_path / "few", *more))
    assert ended.code == 3, ended.err
    counts, few = (
        json.loads((out / "bundle" / "bundle.json").read_text())["counts"]
        for out in (study.out, tmp_path / "few")
    )
    assert few["train"] == 20 < counts["train"]
    n_more = len(list(more_scans.iterdir()))
    assert few["pretrain"] == counts["pretrain"] + counts["train"] - 20 + n_more
    assert [row["path"] for row in table(study.out / "predictions.csv")] == [
        row["path"] for row in table(tmp_path / "few" / "predictions.csv")
    ]
    page = (tmp_path / "few" / "report.html").read_text()
    assert str(20 + few["pretrain"]) in page
    # Its own collection is known as such: the scans it was trained on are not scored.
    bundle, collection = tmp_path / "few" / "bundle", tmp_path / "few" / "collection"
    own = here("evaluate", bundle, collection, "--out", tmp_path / "own", "--json")
    assert own.json["test"]["auroc"]["n_scans"] == counts["test"]
    scored, before = own.json["test"], metrics(tmp_path / "few")["test"]
    for name in ("auroc", "brier", "sensitivity"):
        # Weights that were stored lie otherwise in memory: sums differ in the last bits.
        assert scored[name]["value"] == pytest.approx(before[name]["value"], abs=1e-5)
    rare = here(
        *("evaluate", bundle, collection, "--out", tmp_path / "own", "--json"),
        *("--prevalence", "0.02"),
    ).json
    assert rare["prevalence"] == {"value": 0.02, "source": "given"}
    found, cleared = (scored[name]["value"] for name in ("sensitivity", "specificity"))
    true, false = 0.02 * found, 0.98 * (1 - cleared)
    expected = pytest.approx(true / (true + false)) if found else None  # none was called diseased
    assert rare["test"]["ppv_at_prevalence"]["value"] == expected
    # A run and its bundle's evaluation lie side by side, as far as there is something to compare.
    beside = here("diff", tmp_path / "few", tmp_path / "own", "--json").json
    assert beside["scans"]["shared"] == counts["test"]
    assert abs(beside["metrics"]["auroc"]["difference"]["value"]) < 1e-5
    assert any("no settings of its own" in note for note in beside["notes"])


def test_another_seed_gives_other_parts(
    study: Study, here: Callable[..., Ended], tmp_path: Path
) -> None:
    collection = study.out / "collection"
    ended = here("run", collection, "--out", tmp_path / "o", "--seed", "7", "--epochs", "1")
    assert ended.code == 0, ended.err
    scan_ids = [
        {row["scan_id"] for row in table(out / "predictions.csv")}
        for out in (study.out, tmp_path / "o")
    ]
    assert scan_ids[0] != scan_ids[1]
    assert differences(metrics(study.out)["test"], metrics(tmp_path / "o")["test"])
    refused = here("diff", study.out, tmp_path / "o")
    assert (refused.code, refused.out) == (2, "")
    assert "E_DIFF" in refused.err


@pytest.mark.parametrize(
    ("classifier", "autoencoder", "features"),
    [("knn", "convolutional", "latent"), ("logistic", "invariant", "pooled")],
)
def test_three_classes_and_the_other_choices(
    here: Callable[..., Ended], tmp_path: Path, classifier: str, autoencoder: str, features: str
) -> None:
    source = class_folders(tmp_path / "s", 25)
    for index in range(25):
        png(source / "perhaps" / f"p{index + 500}.png", index + 500, side=14)
    choices = ("--classifier", classifier, "--autoencoder", autoencoder, "--features", features)
    ended = here(
        *("run", source, "--patient-pattern", r"p\d+", "--out", tmp_path / "o", "--json"),
        *(*QUICK, *choices, "--no-flip", "--positive", "yes"),
    )
    assert ended.code == 0, ended.err
    assert visible(tmp_path / "o") == RESULTS
    rows = table(tmp_path / "o" / "predictions.csv")
    names = [name.partition(":")[2] for name in rows[0] if name.startswith("probability:")]
    assert names == ["no", "perhaps", "yes"]
    truth = np.array([names.index(row["label"]) for row in rows])
    scores = np.array([[float(row[f"probability:{name}"]) for name in names] for row in rows])
    value = ended.json["test"]["auroc"]["value"]
    assert roc_auc_score(truth, scores, multi_class="ovr") == pytest.approx(value, abs=1e-12)
    described = json.loads((tmp_path / "o" / "bundle" / "bundle.json").read_text())
    assert described["head"]["classifier"] == classifier
    assert described["encoder"]["name"] == autoencoder
    assert described["head"]["features"] == features
    out, collection = tmp_path / "e", tmp_path / "o" / "collection"
    again = here("evaluate", tmp_path / "o" / "bundle", collection, "--out", out, "--json")
    assert again.json["test"]["auroc"]["value"] == pytest.approx(value, abs=1e-5)
    assert classifier in (out / "report.html").read_text()
    line = here("predict", tmp_path / "o" / "bundle", source / "yes" / "p001.png", "--json").json
    assert set(line["probabilities"]) in (set(names), set())
