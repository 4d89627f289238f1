"""Patients decided as a whole, from the command line: every number counts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import QUICK, Ended, metrics, table
from sklearn.metrics import roc_auc_score

from latentdx.collection.phantoms import PhantomSettings, write_phantoms

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_a_study_of_patients(pool: str, here: Call, tmp_path: Path) -> None:
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(60, labelled_fraction=1, size=32))
    out = tmp_path / "out"
    run = here(
        *("run", drawn.scans, "--labels", drawn.labels, "--out", out, *QUICK),
        *("--decide-by", "patient", "--target", "sensitivity>=0.8", "--pool", pool),
    )
    assert run.code == 0, run.err
    found, rows = metrics(out), table(out / "predictions.csv")
    n_patients = len({row["patient"] for row in rows})
    assert found["decide_by"] == "patient"
    assert len(rows) == n_patients == found["test"]["auroc"]["n_scans"]
    assert f"Test part: {n_patients} patients of {n_patients} patients" in run.out
    assert sum(len(row["paths"].split(";")) for row in rows) > n_patients
    truth = np.array([row["label"] == "diseased" for row in rows])
    scores = np.array([float(row["probability:diseased"]) for row in rows])
    assert roc_auc_score(truth, scores) == pytest.approx(found["test"]["auroc"]["value"], abs=1e-12)
    for scored in (*found["baselines"].values(), *found["controls"].values()):
        assert scored["auroc"]["n_scans"] == n_patients
    assert found["abstention"]["coverage"]["n_scans"] == n_patients
    page = (out / "report.html").read_text()
    assert "All scans of a patient are decided together" in page
    assert f"{n_patients} patients, {n_patients} patients" in page

    own = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "own", "--json")
    assert own.json["test"]["auroc"]["n_scans"] == n_patients
    assert own.json["test"]["brier"]["value"] == pytest.approx(
        found["test"]["brier"]["value"], abs=1e-5
    )

    row = max(rows, key=lambda row: row["paths"].count(";"))
    names = row["paths"].split(";")
    assert len(names) > 1
    said = here("predict", out / "bundle", *(drawn.scans / name for name in names), "--json")
    [line] = map(json.loads, said.out.splitlines())
    if not line["left_out"]:
        assert [Path(path).name for path in line["paths"]] == sorted(names)
        shown = float(row["probability:diseased"])
        assert line["probabilities"]["diseased"] == pytest.approx(shown, abs=1e-5)
        assert line["case"] == row["case"]
        assert ("weights" in line) == ("weights" in row) == (pool == "attention")
        if pool == "attention":
            weights = [float(each) for each in row["weights"].split(";")]
            assert line["weights"] == pytest.approx(weights, abs=1e-4)
            assert sum(weights) == pytest.approx(1, abs=1e-4)
            assert "(attention)" in page


def test_attention_needs_cases_and_no_second_score(here: Call, tmp_path: Path) -> None:
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(30, labelled_fraction=1, size=32))
    source = ("run", drawn.scans, "--labels", drawn.labels, "--out", tmp_path / "out", *QUICK)
    alone = here(*source, "--pool", "attention")
    assert (alone.code, alone.out) == (2, "")
    assert "--decide-by" in alone.err
    both = here(*source, "--pool", "attention", "--decide-by", "patient", "--fine-tune", "last")
    assert both.code == 2
    assert "--fine-tune" in both.err


def test_patients_with_two_labels_stop_the_run(here: Call, tmp_path: Path) -> None:
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(30, labelled_fraction=1, size=32))
    lines = drawn.labels.read_text().splitlines()
    second = next(number for number, line in enumerate(lines) if "-2.dcm" in line)
    name, label = lines[second].split(",")
    lines[second] = f"{name},{'healthy' if label == 'diseased' else 'diseased'}"
    drawn.labels.write_text("\n".join(lines) + "\n")
    source = ("run", drawn.scans, "--labels", drawn.labels, "--out", tmp_path / "out")
    ended = here(*source, *QUICK, "--decide-by", "patient")
    assert (ended.code, ended.out) == (2, "")
    assert "E_STUDY_LABELS" in ended.err


def test_a_refused_run_leaves_its_destination_free(here: Call, tmp_path: Path) -> None:
    """Options that these scans cannot have are refused before anything is kept."""
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(30, labelled_fraction=1, size=32))
    out = tmp_path / "out"
    source = ("run", drawn.scans, "--labels", drawn.labels, "--out", out, *QUICK)
    assert "--unit" in here(*source, "--unit", "mm").err
    assert not out.exists()
    assert "--order" in here(*source, "--order", "a,b").err
    assert not out.exists()
