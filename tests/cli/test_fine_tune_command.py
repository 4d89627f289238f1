"""`--fine-tune` from the command line: a whole study, then its bundle in use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, metrics
from phantom_hospital import Study

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]
ASKED = ("--fine-tune", "last", "--loss", "focal", "--semi-supervised", "consistency")


SCRATCH = "cnn-from-scratch"


def test_a_study_with_fine_tuning_beside_a_network_from_scratch(
    study: Study, here: Call, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = (*QUICK, *ASKED, f"--{SCRATCH}")
    ended = here("run", study.out / "collection", "--out", out, "--json", *asked)
    assert ended.code == 0, ended.err
    told = json.loads((out / "bundle" / "bundle.json").read_text())["head"]["fine_tune"]
    assert (told["which"], told["loss"], told["consistency"]) == ("last", "focal", True)
    for page in (out / "bundle" / "README.md", out / "report.html"):
        text = page.read_text()
        assert "whose last block and linear layer learned from the labels" in text
        assert "by consistency" in text
    assert ended.json["seconds"]["fine-tune"] > 0
    plain, found = metrics(study.out), metrics(out)
    assert found["test"]["auroc"]["n_scans"] == plain["test"]["auroc"]["n_scans"]
    assert found["test"]["brier"]["value"] != plain["test"]["brier"]["value"]
    assert found["reconstruction"] == plain["reconstruction"]
    rivals = dict(found["baselines"])
    # what it is without fine-tuning is what the plain study handed back
    assert rivals.pop("without-fine-tuning")["auroc"] == plain["test"]["auroc"]
    scratch = rivals.pop(SCRATCH)
    assert scratch["auroc"]["n_patients"] == plain["test"]["auroc"]["n_patients"]
    assert "CNN from labels alone" in (out / "report.html").read_text()
    assert ended.json["seconds"][SCRATCH] > 0
    assert rivals == plain["baselines"]

    again = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "o", "--json")
    assert again.code == 0, again.err
    brier = again.json["test"]["brier"]["value"]
    assert brier == pytest.approx(found["test"]["brier"]["value"], abs=1e-6)
    scan = next(study.cohort.scans.glob("=0*.dcm"))
    line = here("predict", out / "bundle", scan, "--json").json
    assert line["status"] in ("ok", "not_evaluated")


def test_what_needs_it_is_refused_without_it(study: Study, here: Call, tmp_path: Path) -> None:
    collection = study.out / "collection"
    for asked in (ASKED[2:4], ASKED[4:]):
        out = tmp_path / asked[1]
        ended = here("run", collection, "--out", out, *QUICK, *asked)
        assert ended.code == 2
        assert "E_OPTION" in ended.err
        assert "--fine-tune last" in ended.err


def test_unasked_it_learns_from_few_labels_and_not_beside_what_it_does_not_go_with(
    study: Study, here: Call, tmp_path: Path
) -> None:
    source = ("run", study.out / "collection", "--size", "16", "--epochs", "1")

    def told(name: str, *more: str) -> dict[str, object] | None:
        out = tmp_path / name
        ended = here(*source, "--out", out, *more)
        assert ended.code == 0, ended.err
        found: dict[str, object] | None = json.loads((out / "bundle" / "bundle.json").read_text())[
            "head"
        ]["fine_tune"]
        return found

    plain = told("plain")
    assert plain is not None
    assert (plain["which"], plain["epochs"], plain["chosen"]) == ("all", 8, False)
    page = (tmp_path / "plain" / "report.html").read_text()
    assert "from the labels for 8 epochs (cross-entropy)" in page
    assert "fine-tuning" in page
    found = metrics(tmp_path / "plain")
    both, alone = found["test"]["auroc"], found["baselines"]["without-fine-tuning"]["auroc"]
    gain = found["fine_tuning"]["gain"]["value"]
    assert gain == pytest.approx(both["value"] - alone["value"], abs=1e-9)
    assert told("other", "--classifier", "logistic") is None
    assert told("timed", "--minutes", "5") is None
