"""`--cnn-from-scratch` from the command line: one more baseline, all else as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, metrics
from phantom_hospital import Study

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]
NAME = "cnn-from-scratch"


def test_it_stands_beside_the_other_baselines(study: Study, here: Call, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = here("run", study.out / "collection", "--out", out, "--json", *QUICK, f"--{NAME}")
    assert ended.code == 0, ended.err
    assert "Training a CNN from scratch" in ended.err
    plain, found = metrics(study.out), metrics(out)
    assert NAME not in plain["baselines"]
    rival = found["baselines"].pop(NAME)
    assert found["seconds"].pop(NAME) > 0
    assert found["baselines"] == plain["baselines"]
    assert found["test"] == plain["test"]
    assert set(rival) == set(plain["baselines"]["hog-svm"])
    assert rival["auroc"]["n_patients"] == found["test"]["auroc"]["n_patients"]
    for page in (out / "bundle" / "README.md", out / "report.html"):
        assert "CNN from labels alone" in page.read_text()


def test_grades_are_refused_at_once(study: Study, here: Call, tmp_path: Path) -> None:
    grades = ("--task", "ordinal", "--order", "healthy,diseased")
    collection, out = study.out / "collection", tmp_path / "out"
    ended = here("run", collection, "--out", out, *QUICK, *grades, f"--{NAME}")
    assert ended.code == 2
    assert "E_OPTION" in ended.err
    assert "Training" not in ended.err
