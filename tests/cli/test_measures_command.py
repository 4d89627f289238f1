"""Measured columns in a whole study: read beside the picture, kept out of the metadata baseline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, class_folders, latentdx, metrics, table

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]


def test_a_study_that_measures(here: Call, tmp_path: Path) -> None:
    source, out = class_folders(tmp_path / "scans", 40), tmp_path / "out"
    given = ("--patient-pattern", r"p\d+", *QUICK, "--measures", "--json")
    run = here("run", source, "--out", out, *given)
    assert run.code == 0, run.err
    found = metrics(out)
    assert all(name.startswith("picture_") for name in found["covariates"]["columns"])
    assert len(found["covariates"]["columns"]) > 10
    # a disc is in half of them: what was measured tells it, and is no metadata
    assert found["baselines"]["metadata"] == found["baselines"]["majority"]
    assert found["baselines"]["metadata"]["auroc"]["value"] == 0.5
    names = [each["name"] for each in found["shortcuts"]["metadata"]]
    assert not [name for name in names if name.startswith("picture_")]
    row = table(out / "predictions.csv")[0]
    said = here("predict", out / "bundle", source / row["path"], "--json").json
    assert said["missing_covariates"] == []
    if said["status"] == "ok":
        assert said["probabilities"]["yes"] == pytest.approx(
            float(row["probability:yes"]), abs=1e-4
        )


def test_fit_reads_what_was_ingested(here: Call, tmp_path: Path) -> None:
    source = class_folders(tmp_path / "scans", 12)
    given = ("--patient-pattern", r"p\d+", "--size", "16")
    assert latentdx("ingest", source, "--to", tmp_path / "c", *given).code == 0
    encoder = ("--encoder", tmp_path / "e", "--to", tmp_path / "b")
    assert here("pretrain", tmp_path / "c", "--to", tmp_path / "e", "--epochs", "1").code == 0
    ended = here("fit", tmp_path / "c", *encoder, "--covariates", "measures")
    assert (ended.code, "E_COVARIATE" in ended.err) == (2, True)
    assert "ingest again with --measures" in " ".join(ended.err.split())
