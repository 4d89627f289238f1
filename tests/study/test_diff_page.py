"""Two runs side by side, on a page and in a table: all of it, escaped, and places never seen."""

import doctest
import json

import numpy as np
import pytest
from diff_folders import told, write_left_out, write_run
from sklearn.metrics import roc_auc_score

from latentdx.cli.diff import diff_summary
from latentdx.core.errors import StopError
from latentdx.report import diff_page
from latentdx.study.diff import diff_runs


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
    for name in "ABC":  # as many as there, not as many as everywhere
        counts = {(told["n_scans"], told["n_patients"]) for told in areas[name].values()}
        assert counts == {(40, 20)}
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
