"""Several findings a scan, with covariates beside them and decided by patient."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from findings_cohort import FINDINGS, write_cohort
from latentdx_command import QUICK, Ended, metrics, table
from sklearn.metrics import roc_auc_score

Call = Callable[..., Ended]


def with_age(root: Path, column: str = "age") -> Path:
    """The table with an age that says something of every finding, or with a finding itself."""
    rows = table(root / "labels.csv")
    for number, row in enumerate(rows):
        names = [name.strip() for name in row["label"].split(";")]
        row["age"] = str(40 + 9 * ("disc" in names) + 7 * ("bar" in names) + number // 2 % 7)
        row["disc is there"] = "yes" if "disc" in names else "no"
    path = root / f"{column}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ["path", "label", "patient_id", column], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.slow
def test_covariates_beside_several_findings_of_patients(here: Call, tmp_path: Path) -> None:
    root = write_cohort(tmp_path)
    source = ("run", root / "scans", "--classifier", "logistic", *QUICK)
    labels = with_age(root)
    out = root / "with"
    asked = ("--labels", labels, "--covariates", "age", "--decide-by", "patient")
    run = here(*source, *asked, "--out", out)
    assert run.code == 0, run.err
    found, rows = metrics(out), table(out / "predictions.csv")
    every_number_counts_patients(found, rows)
    assert found["covariates"]["columns"] == ["age"]
    gain = (
        found["test"]["auroc"]["value"] - found["baselines"]["without-covariates"]["auroc"]["value"]
    )
    assert found["covariates"]["gain"]["value"] == pytest.approx(gain, abs=1e-12)
    page = (out / "report.html").read_text()
    assert "Beside the picture it reads" in page
    assert "against the picture alone" in page or "cannot be told" in page
    assert "All scans of a patient are decided together" in page

    own = here("evaluate", out / "bundle", out / "collection", "--out", root / "own", "--json")
    assert own.json["test"]["auroc"]["value"] == pytest.approx(found["test"]["auroc"]["value"])
    assert own.json["covariates"]["missing"] == {"age": 0}

    row = rows[0]
    scans = [root / "scans" / path for path in row["paths"].split(";")]
    told = here("predict", out / "bundle", *scans, "--json", "--table", labels).json
    alone = json.loads(here("predict", out / "bundle", scans[0], "--json").out)
    assert (told["case"], told["label"], len(told["paths"])) == (row["case"], row["decision"], 2)
    assert (told["missing_covariates"], alone["missing_covariates"]) == ([], ["age"])
    for name in FINDINGS:
        shown = float(row[f"probability:{name}"])
        assert told["probabilities"][name] == pytest.approx(shown, abs=1e-5)
    assert told["probabilities"] != alone["probabilities"]

    column = with_age(root, "disc is there")
    refused = here(
        *source, "--labels", column, "--out", root / "no", "--covariates", "disc is there"
    )
    assert refused.code == 2
    assert "E_COVARIATE" in refused.err
    refused = here(*source, *asked, "--out", root / "no", "--pool", "attention")
    assert (refused.code, "--pool attention" in refused.err) == (2, True)


def every_number_counts_patients(found: dict[str, Any], rows: list[dict[str, str]]) -> None:
    n_patients = len({row["patient"] for row in rows})
    assert len(rows) == n_patients
    assert found["decide_by"] == "patient"
    scored = (found["test"], *found["findings"].values(), *found["baselines"].values())
    for each in (*scored, *found["controls"].values()):
        assert each["auroc"]["n_scans"] == n_patients
    truth = np.array(["bar" in row["label"] for row in rows])
    scores = np.array([float(row["probability:bar"]) for row in rows])
    area = found["findings"]["bar"]["auroc"]["value"]
    assert area == pytest.approx(roc_auc_score(truth, scores))
