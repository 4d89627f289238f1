"""Terms from the command line: a parent that nobody wrote, in a study, its card and its bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from findings_cohort import write_cohort
from latentdx_command import QUICK, Ended, class_folders, metrics

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]

TERMS = "[disc]\nparent = 'mark'\nsnomed = '4147007'\n[frame]\nparent = 'mark'\n"


def test_a_study_with_parents(here: Call, tmp_path: Path) -> None:
    root = write_cohort(tmp_path, 60)
    (root / "terms.toml").write_text(TERMS)
    given = ("--labels", root / "labels.csv", "--terms", root / "terms.toml", *QUICK)
    run = here("run", root / "scans", "--out", root / "out", "--classifier", "logistic", *given)
    assert run.code == 0, run.err
    found = metrics(root / "out")
    assert set(found["findings"]) == {"bar", "disc", "frame", "mark"}
    shares = {name: each["prevalence"]["value"] for name, each in found["findings"].items()}
    assert max(shares["disc"], shares["frame"]) < shares["mark"] < 1
    card = (root / "out" / "bundle" / "README.md").read_text()
    assert "| disc | mark | 4147007 |" in card
    told = json.loads((root / "out" / "bundle" / "bundle.json").read_text())
    assert told["terms"]["frame"]["parent"] == "mark"
    said = here("predict", root / "out" / "bundle", root / "scans", "--json")
    for line in map(json.loads, said.out.splitlines()):
        if line["status"] == "ok":
            parts = line["probabilities"]
            assert parts["mark"] >= max(parts["disc"], parts["frame"])


def test_parents_need_several_findings(here: Call, tmp_path: Path) -> None:
    source = class_folders(tmp_path / "scans", 20)
    (tmp_path / "terms.toml").write_text("[yes]\nparent = 'ill'\n")
    given = ("--patient-pattern", r"p\d+", "--terms", tmp_path / "terms.toml", *QUICK)
    ended = here("run", source, "--out", tmp_path / "out", *given)
    assert (ended.code, "E_TERMS" in ended.err) == (2, True)
    assert "every scan one label" in " ".join(ended.err.split())
