"""`latentdx run --task ordinal` from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import QUICK, RESULTS, Ended, table, visible
from measured_scans import graded_folders
from sklearn.metrics import cohen_kappa_score

from latentdx.metrics.further import further_names

FIVE = {"value", "low", "high", "n_scans", "n_patients"}
WORDS = ("none", "mild", "severe")


def run_of(source: Path, out: Path, *more: object) -> tuple[object, ...]:
    return ("run", source, "--patient-pattern", r"p\d+", "--out", out, "--json", *QUICK, *more)


@pytest.mark.slow
def test_a_study_of_grades(here: Callable[..., Ended], tmp_path: Path) -> None:
    source, out = graded_folders(tmp_path / "s", WORDS, 30), tmp_path / "o"
    ended = here(*run_of(source, out, "--task", "ordinal", "--order", "none,mild,severe"))
    assert ended.code == 0, ended.err
    assert visible(out) == RESULTS
    rows, test = table(out / "predictions.csv"), ended.json["test"]
    probabilities = [name for name in rows[0] if name.startswith("probability:")]
    assert probabilities == [f"probability:{name}" for name in WORDS]
    truth = np.array([WORDS.index(row["label"]) for row in rows])
    decided = np.array([WORDS.index(row["decision"]) for row in rows])
    kappa = cohen_kappa_score(truth, decided, weights="quadratic")
    assert test["quadratic_kappa"]["value"] == pytest.approx(kappa)
    assert test["grade_error"]["value"] == pytest.approx(np.abs(truth - decided).mean())
    assert kappa > 0.5
    rivals = [*ended.json["baselines"].values(), *ended.json["controls"].values()]
    assert all(set(found) == set(test) - set(further_names(3)) for found in rivals)
    assert set(test) > set(further_names(3))
    assert set(test["quadratic_kappa"]) == FIVE
    assert abs(ended.json["controls"]["shuffled-labels"]["quadratic_kappa"]["value"]) < 0.3
    below = np.array([[float(row[name]) for name in probabilities] for row in rows]).cumsum(axis=1)
    np.testing.assert_array_equal(decided, (below >= 0.5 - 1e-12).argmax(axis=1))
    sets = {tuple(row["prediction_set"].split(";")) for row in rows}
    assert ("none", "severe") not in sets
    assert "kappa" in ended.json["verdict"]
    page = (out / "report.html").read_text()
    assert "Quadratic weighted kappa" in page
    assert "grades in an order" in page
    described = json.loads((out / "bundle" / "bundle.json").read_text())
    assert (described["task"], described["classes"]) == ("ordinal", list(WORDS))
    again = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "e", "--json")
    value = again.json["test"]["quadratic_kappa"]["value"]
    assert value == pytest.approx(test["quadratic_kappa"]["value"])
    rare = ("--prevalence", "0.1")
    refused = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "r", *rare)
    assert refused.code == 2
    assert "E_OPTION: --prevalence of other than two classes" in refused.err
    assert not (tmp_path / "r").exists()
    line = here("predict", out / "bundle", source / "mild" / "p001.png", "--json").json
    assert line["status"] in ("ok", "not_evaluated")
    assert line["label"] in (*WORDS, None)


@pytest.mark.parametrize(
    ("names", "more", "code", "fix"),
    [
        (("no", "mild", "much"), ("--task", "ordinal"), "E_TASK", "--order"),
        (("0", "1"), ("--task", "ordinal"), "E_TASK", "leave --task ordinal out"),
        (("0", "1", "2"), ("--order", "0,1,2"), "E_OPTION", "--task ordinal"),
        (("0", "1", "2"), ("--task", "ordinal", "--order", "0,1"), "E_OPTION", "each label"),
        (("0", "1", "2"), ("--task", "ordinal", "--positive", "2"), "E_OPTION", "--order"),
        (("0", "1", "2"), ("--task", "ordinal", "--cnn-from-scratch"), "E_OPTION", "learns"),
    ],
)
def test_orders_that_are_none(
    here: Callable[..., Ended],
    tmp_path: Path,
    names: tuple[str, ...],
    more: tuple[str, ...],
    code: str,
    fix: str,
) -> None:
    source = graded_folders(tmp_path / "s", names, 8)
    ended = here(*run_of(source, tmp_path / "o", *more))
    assert (ended.code, ended.out) == (2, "")
    assert code in ended.err
    assert fix in ended.err.replace("\n", " ")
