"""Two runs side by side: what is paired, what is refused, what is said."""

import csv
import doctest
import json

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score

from latentdx.cli.diff import diff_summary
from latentdx.core.errors import StopError
from latentdx.metrics.further import further_names
from latentdx.metrics.summary import NAMES
from latentdx.metrics.values import METRICS
from latentdx.report import diff_page
from latentdx.report.model_metrics import model_metrics
from latentdx.report.predictions import Predictions
from latentdx.study.diff import diff_runs
from latentdx.study.settings import RunSettings

CLASSES = ("benign", "malignant")
FIVE = {"value", "low", "high", "n_scans", "n_patients"}


def told(n_scans=120, skill=2.0, seed=0, label_seed=7):
    """Labels that are those of `label_seed`, and a model's probabilities of them."""
    labels = np.random.default_rng(label_seed).integers(0, 2, n_scans)
    noise = np.random.default_rng(seed).normal(size=n_scans)
    return labels, 1 / (1 + np.exp(-noise - skill * (labels - 0.5)))


def write_run(folder, labels, scores, *, start=0, warnings=(), classes=CLASSES, **settings):
    """A folder as `latentdx run` leaves it, as far as it is read."""
    folder.mkdir()
    table = np.stack([1 - scores, scores], axis=1)
    decisions = (scores >= 0.5).astype(int)
    names = np.array([f"p{(start + i) // 2}" for i in range(len(labels))])
    rows = [
        {
            "path": f"{i}.png", "scan_id": f"{start + i:016x}", "patient": names[i],
            "label": classes[labels[i]], "decision": classes[decisions[i]],
            f"probability:{classes[0]}": repr(float(table[i, 0])),
            f"probability:{classes[1]}": repr(float(table[i, 1])),
        }
        for i in range(len(labels))
    ]  # fmt: skip
    write_rows(folder, rows)
    found = model_metrics(Predictions(labels, names, table, decisions), 0, None)
    write_metrics(folder, {**found, "warnings": list(warnings)})
    if settings.pop("config", True):
        told = RunSettings(source=f"/somewhere/{folder.name}/scans", **settings)
        (folder / "config.toml").write_text(told.to_toml())
    return folder


def write_rows(folder, rows):
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_metrics(folder, metrics):
    (folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def runs(tmp_path):
    return (
        write_run(tmp_path / "one", *told(skill=1.0), warnings=["common", "only here"]),
        write_run(
            tmp_path / "other", *told(skill=3.0, seed=1), warnings=["common", "and here"],
            classifier="logistic",
        ),
    )  # fmt: skip


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


def write_values(folder, values, predicted):
    folder.mkdir()
    rows = [
        {"path": f"{i}.png", "scan_id": f"{i:016x}", "patient": f"p{i // 2}",
         "value": value, "prediction": told}
        for i, (value, told) in enumerate(zip(values.tolist(), predicted.tolist(), strict=True))
    ]  # fmt: skip
    write_rows(folder, rows)
    write_metrics(folder, {"task": "regression", "test": {}, "warnings": []})
    return folder


def test_models_of_numbers_are_compared_by_their_errors(tmp_path):
    generator = np.random.default_rng(0)
    values = generator.normal(size=80) * 10
    told = [values + generator.normal(size=80) * spread for spread in (4, 1)]
    found = diff_runs(*(write_values(tmp_path / f"r{k}", values, told[k]) for k in (0, 1)))
    assert tuple(found["metrics"]) == tuple(METRICS)
    error = found["metrics"]["mae"]
    assert error["first"]["value"] == pytest.approx(mean_absolute_error(values, told[0]))
    assert error["difference"]["high"] < 0


def write_findings(folder, seed):
    folder.mkdir()
    generator = np.random.default_rng(seed)
    truth = np.random.default_rng(5).random((90, 2)) < 0.4
    scores = np.clip(0.3 * truth + generator.random((90, 2)) * 0.7, 0, 1)
    names = ("mass", "edema")

    def label(row):
        return ";".join(name for name, held in zip(names, row, strict=True) if held) or "none"

    rows = [
        {"path": f"{i}.png", "scan_id": f"{i:016x}", "patient": f"p{i}",
         "label": label(truth[i]), "decision": label(scores[i] > 0.5),
         **{f"probability:{name}": scores[i, k] for k, name in enumerate(names)}}
        for i in range(90)
    ]  # fmt: skip
    write_rows(folder, rows)
    write_metrics(folder, {"test": {}, "findings": {}, "warnings": []})
    return [roc_auc_score(truth[:, k], scores[:, k]) for k in (0, 1)]


def test_several_findings_are_compared_by_their_mean_and_each(tmp_path):
    areas = [write_findings(tmp_path / f"r{seed}", seed) for seed in (0, 1)]
    found = diff_runs(tmp_path / "r0", tmp_path / "r1")["metrics"]
    assert list(found) == [*NAMES, "auroc of mass", "auroc of edema"]
    for side, area in zip(("first", "second"), areas, strict=True):
        assert found["auroc"][side]["value"] == pytest.approx(np.mean(area))
        assert found["auroc of mass"][side]["value"] == pytest.approx(area[0])
        assert found["auroc of edema"][side]["value"] == pytest.approx(area[1])


def test_the_page_and_the_table_show_all_and_ask_nothing_of_a_network(tmp_path, runs):
    found = diff_runs(*runs, tmp_path / "out")
    page = (tmp_path / "out" / "diff.html").read_text()
    shown = diff_summary(found)
    for text in ("AUROC", "Matthews correlation", "classifier", "only here", "and here", "one"):
        assert text in page
        assert text in shown
    assert "<svg" in page
    assert "src=" not in page
    assert json.loads((tmp_path / "out" / "diff.json").read_text()) == found
    assert diff_runs(*runs, tmp_path / "out") == found  # again, over the same files
    line = next(line for line in shown.splitlines() if line.startswith("AUROC"))
    assert line.endswith("*")


def test_names_are_escaped_on_the_page(tmp_path):
    nasty = ("<script>x</script>", "b")
    pair = [
        write_run(tmp_path / name, *told(skill=skill), classes=nasty, warnings=[f"<b>{name}</b>"])
        for name, skill in (("a", 1), ("b", 2))
    ]
    diff_runs(*pair, tmp_path / "out")
    page = (tmp_path / "out" / "diff.html").read_text()
    assert "<script>" not in page
    assert "<b>a</b>" not in page


def test_a_folder_with_other_things_is_not_written_to(tmp_path, runs):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(StopError) as caught:
        diff_runs(*runs, tmp_path / "out")
    assert caught.value.code == "E_DESTINATION"


def test_the_example_in_the_docstring_runs():
    assert doctest.testmod(diff_page).failed == 0


def write_left_out(folder, labels, scores, places, *, start=0):
    rows = [
        {
            "scan_id": f"{start + i:016x}", "patient": f"p{i // 2}",
            "label": CLASSES[labels[i]], "decision": CLASSES[int(scores[i] >= 0.5)],
            "probability:benign": repr(float(1 - scores[i])),
            "probability:malignant": repr(float(scores[i])), "left_out": places[i],
        }
        for i in range(len(labels))
    ]  # fmt: skip
    with (folder / "left-out-predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_places_never_seen_are_compared_each_and_by_their_mean(runs, tmp_path):
    assert diff_runs(*runs)["left_out"] is None
    places = np.array(["A", "A", "B", "B", "C", "C"] * 20)
    both = [told(skill=skill, seed=seed) for skill, seed in ((1.0, 5), (3.0, 6))]
    for folder, (labels, scores) in zip(runs, both, strict=True):
        write_left_out(folder, labels, scores, places)
    found = diff_runs(*runs, tmp_path / "out")
    areas = found["left_out"]["auroc"]
    assert list(areas) == ["within places", "A", "B", "C"]
    assert (found["left_out"]["n_scans"], found["left_out"]["n_patients"]) == (120, 60)
    for side, (labels, scores) in zip(("first", "second"), both, strict=True):
        each = [roc_auc_score(labels[places == name], scores[places == name]) for name in "ABC"]
        assert [areas[name][side]["value"] for name in "ABC"] == pytest.approx(each)
        assert areas["within places"][side]["value"] == pytest.approx(np.mean(each))
    mean = areas["within places"]["difference"]
    assert 0 < mean["low"] < mean["value"] < mean["high"]
    assert mean["n_patients"] == 60
    assert "Places never seen" in (tmp_path / "out" / "diff.html").read_text()
    lines = diff_summary(found).splitlines()
    start = lines.index("At places that the models had never seen:")
    assert lines[start + 2].startswith("within places")
    assert lines[start + 2].rstrip().endswith("*")


def test_places_that_differ_are_not_compared(runs):
    places = np.array(["A", "B"] * 60)
    for folder, offset in zip(runs, (0, 61), strict=True):
        write_left_out(folder, *told(), places, start=offset)
    assert diff_runs(*runs)["left_out"] is None
